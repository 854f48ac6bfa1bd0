#!/usr/bin/env node
/** The process in the pods of backup, restore and copy jobs: reads a request, does it, and leaves a termination message. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { encodeResult, type RunRequest, type RunResult, runRequest } from '../backup/contract.ts';
import { RunError } from '../backup/errors.ts';
import type { Progress } from './progress.ts';
import { failure, run } from './run.ts';

const HELP = `Usage: runner --request FILE [--result FILE]

  --request FILE  what to do, as JSON
  --result FILE   where the result is written (default /dev/termination-log)
`;

const PROGRESS_MS = 10_000;

const log = (message: string, fields: object = {}): void => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`);
};

/** Says how far it is, every ten seconds and at each new phase. */
function reporter(): (progress: Progress) => void {
  let phase = '';
  let saidAt = 0;
  let saidBytes = 0;
  return (progress) => {
    const now = Date.now();
    if (progress.phase === phase && now - saidAt < PROGRESS_MS) return;
    const rate =
      progress.phase === phase
        ? Math.round(((progress.bytes - saidBytes) * 1000) / Math.max(1, now - saidAt))
        : undefined;
    log('progress', { ...progress, ...(rate === undefined ? {} : { bytesPerSecond: rate }) });
    phase = progress.phase;
    saidAt = now;
    saidBytes = progress.bytes;
  };
}

function readRequest(file: string): RunRequest {
  try {
    return runRequest.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const detail = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new RunError('InvalidRequest', `the request cannot be used: ${detail}`, { cause: error });
  }
}

async function main(requestFile: string, resultFile: string): Promise<boolean> {
  const startTime = new Date().toISOString();
  const leave = (result: RunResult): void => {
    try {
      writeFileSync(resultFile, encodeResult(result));
    } catch (error) {
      log('the result could not be written', { error: (error as Error).message });
    }
  };
  const failed = (action: RunResult['action'], error: unknown): RunResult => ({
    version: 1,
    action,
    startTime,
    finishTime: new Date().toISOString(),
    ...failure(error),
  });
  let request: RunRequest;
  try {
    request = readRequest(requestFile);
  } catch (error) {
    const result = failed('unknown', error);
    leave(result);
    log('failed', result);
    return false;
  }
  // What stays when we are killed and can say nothing any more.
  leave(
    failed(request.action, new RunError('Interrupted', 'the runner was killed: out of memory, or its node is gone')),
  );
  const interrupted = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      log('interrupted', { signal });
      interrupted.abort(
        new RunError(
          'Interrupted',
          'the run was ended from outside: its deadline, a deletion, or a node that is drained',
        ),
      );
    });
  log('started', { action: request.action });
  const result = await run(request, { signal: interrupted.signal, onProgress: reporter() });
  leave(result);
  log(result.ok ? 'succeeded' : 'failed', result);
  return result.ok;
}

const { values } = parseArgs({
  options: {
    request: { type: 'string' },
    result: { type: 'string', default: '/dev/termination-log' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else if (values.request === undefined) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const ok = await main(values.request, values.result);
  // Connections that are still saying goodbye must not keep the pod.
  process.stdout.write('', () => process.exit(ok ? 0 : 1));
}
