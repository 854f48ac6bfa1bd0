import type { RunRequest, RunResult } from '../backup/contract.ts';
import { RunError } from '../backup/errors.ts';
import { backup } from './backup.ts';
import { copy } from './copy.ts';
import { latest, list, prune, remove } from './files.ts';
import type { Outcome } from './outcome.ts';
import type { RunContext } from './progress.ts';
import { restore } from './restore.ts';

function perform(request: RunRequest, context: RunContext): Promise<Outcome> {
  switch (request.action) {
    case 'backup':
      return backup(request, context);
    case 'restore':
      return restore(request, context);
    case 'copy':
      return copy(request, context);
    case 'prune':
      return prune(request, context);
    case 'latest':
      return latest(request, context);
    case 'list':
      return list(request, context);
    case 'delete':
      return remove(request, context);
  }
}

/** The part of a result that says why it failed. */
export function failure(error: unknown): Pick<RunResult, 'ok' | 'failureReason' | 'failureMessage'> {
  if (error instanceof RunError) return { ok: false, failureReason: error.reason, failureMessage: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, failureReason: 'Unexpected', failureMessage: message };
}

/** Does what a request asks for. It never throws: what went wrong is in the result. */
export async function run(request: RunRequest, context: RunContext): Promise<RunResult> {
  const begin = { version: 1, action: request.action, startTime: new Date().toISOString() } as const;
  try {
    const outcome = await perform(request, context);
    return { ...begin, ok: true, finishTime: new Date().toISOString(), ...outcome };
  } catch (error) {
    // After a signal it is the signal that counts, whatever broke because of it.
    const why: unknown = context.signal.aborted ? context.signal.reason : error;
    return { ...begin, finishTime: new Date().toISOString(), ...failure(why) };
  }
}
