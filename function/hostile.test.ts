/** Requests that nobody would send, over the wire to a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  FunctionRunnerServiceService,
  RunFunctionRequest,
  type RunFunctionResponse,
} from '@crossplane-org/function-sdk-typescript';
import { credentials, makeGenericClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../test/rig/process.ts';
import { fatal, xr } from './compose.fixture.ts';

const REQUESTS = 1000;
const CALLERS = 8;

/** A client that sends bytes as they are, so that they need not be a request. */
const { runFunction } = FunctionRunnerServiceService;
const Raw = makeGenericClientConstructor(
  { run: { ...runFunction, requestSerialize: (bytes: Buffer) => bytes } as never },
  'FunctionRunnerService',
);

const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) });
const encode = (request: object): Buffer =>
  Buffer.from(RunFunctionRequest.encode(RunFunctionRequest.fromPartial(request as never)).finish());
const ofSpec = (spec: object): Buffer => encode({ observed: { composite: { resource: xr(spec as never) } } });

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '"; DROP DATABASE orders; --',
    '\0',
    '\ud800',
    '../../etc',
    '__proto__',
    '$(id)',
    'x'.repeat(100_000),
  ),
);
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  // A request that breaks off or has a byte of its own.
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255), fc.boolean()).map(([at, byte, cut]) => {
    const whole = ofSpec({ schemas: [{ name: 'app' }] });
    const index = Math.min(whole.length - 1, Math.floor(at * whole.length));
    if (cut) return whole.subarray(0, index);
    whole[index] = byte;
    return whole;
  }),
  fc.jsonValue({ maxDepth: 5 }).map((spec) => ofSpec({ serverRef: spec, roles: spec, database: spec })),
  fc.array(text, { maxLength: 40 }).map((names) => ofSpec({ schemas: names.map((name) => ({ name })) })),
  text.map((name) => ofSpec({ databaseName: name, roles: [{ name: 'a', access: 'owner', username: name }] })),
  fc.nat(200).map((depth) => ofSpec({ database: nested(depth) })),
  fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })).map((input) => encode({ input })),
);

test('a thousand of them end no process, leave no call without an answer, and name what is wrong', async () => {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'main.ts'), '--insecure', '--address', `127.0.0.1:${port}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.stdout.resume();
  const client = new Raw(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
  });
  const send = async (bytes: Buffer): Promise<RunFunctionResponse | ServiceError> =>
    await new Promise((resolve) => {
      const options = { deadline: Date.now() + 10_000 };
      (client['run'] as (...args: unknown[]) => unknown).call(
        client,
        bytes,
        options,
        (error: ServiceError | null, response: RunFunctionResponse) => {
          resolve(error ?? response);
        },
      );
    });

  const queue = fc.sample(hostile, REQUESTS);
  const answers: (RunFunctionResponse | ServiceError)[] = [];
  const caller = async (): Promise<void> => {
    for (let bytes = queue.pop(); bytes !== undefined; bytes = queue.pop()) answers.push(await send(bytes));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));

  expect(answers).toHaveLength(REQUESTS);
  for (const answer of answers) {
    // What cannot be read as a request is gRPC's to refuse; the rest is answered, if with what is wrong.
    if ('code' in answer) expect([status.INTERNAL, status.RESOURCE_EXHAUSTED]).toContain(answer.code);
    else expect(fatal(answer) ?? '').not.toContain('internal error');
  }
  expect(answers.filter((answer) => !('code' in answer) && fatal(answer) !== undefined).length).toBeGreaterThan(100);
  expect(child.exitCode).toBeNull();
  const last = await send(ofSpec({}));
  expect('code' in last ? last : fatal(last)).toBeUndefined();
}, 60_000);
