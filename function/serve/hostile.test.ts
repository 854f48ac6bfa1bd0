/** Requests that nobody would send, over the wire to a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FunctionRunnerServiceService,
  RunFunctionRequest,
  type RunFunctionResponse,
} from '@crossplane-org/function-sdk-typescript';
import { credentials, makeGenericClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../test/rig/process.ts';
import { fatal, xr } from '../compose.fixture.ts';

const REQUESTS = 10_000;
const CALLERS = 8;
/** Made at a time: all of them at once would be gigabytes. */
const BATCH = 500;
/** How much more memory the process may hold after the last thousands than after the first. */
const GROWTH_MIB = 64;

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
const path = fc.constantFrom(
  'roles',
  'databaseName',
  'spec.people',
  'spec.a.b',
  'metadata.name',
  'spec.__proto__.x',
  'backup.schedule',
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
  fc
    .tuple(text, text, fc.jsonValue({ maxDepth: 2 }))
    .map(([schedule, storage, rest]) =>
      ofSpec({ backup: { schedule, storage, retention: rest, verify: { schedule } } }),
    ),
  fc
    .tuple(text, fc.jsonValue({ maxDepth: 2 }))
    .map(([name, other]) =>
      ofSpec({ source: { copyFrom: { name, transformSQL: name }, restoreFrom: other }, expiresAfter: name }),
    ),
  fc
    .array(fc.record({ name: text, privileges: fc.array(text, { maxLength: 3 }), schema: text }), { maxLength: 4 })
    .map((grants) => ofSpec({ roles: [{ name: 'a', access: 'none', grants }] })),
  // A platform's own kind, and what may be in it.
  fc.array(fc.record({ field: path, from: path }), { maxLength: 4 }).chain((fieldPaths) =>
    fc.jsonValue({ maxDepth: 4 }).map((spec) =>
      encode({
        input: { fieldPaths, statusPath: 'status.a' },
        observed: { composite: { resource: { ...xr(), spec: { people: spec, a: { b: spec } } } } },
      }),
    ),
  ),
  fc
    .tuple(text, text)
    .map(([database, secret]) =>
      encode({ input: { naming: { database, secret } }, observed: { composite: { resource: xr() } } }),
    ),
  // What a provider would never say.
  fc
    .dictionary(
      fc.constantFrom('database', 'source', 'backup', 'role-login-app', '__proto__'),
      fc.jsonValue({ maxDepth: 4 }),
    )
    .map((shown) =>
      encode({
        observed: {
          composite: { resource: xr({ expiresAfter: '1h', backup: { schedule: '@daily', storage: 'a' } }) },
          resources: Object.fromEntries(
            Object.entries(shown).map(([key, status]) => [
              key,
              { resource: { status: { conditions: status, atProvider: status } } },
            ]),
          ),
        },
      }),
    ),
  fc
    .integer({ min: 1, max: 5000 })
    .map((count) =>
      ofSpec({ roles: Array.from({ length: count }, (_, index) => ({ name: `r${index}`, access: 'owner' })) }),
    ),
);

/** Resident memory of a process, in MiB. */
const memoryOf = async (pid: number | undefined): Promise<number> =>
  Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('ten thousand of them end no process, leave no call without an answer, hold no memory, and name what is wrong', async () => {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../main.ts'), '--insecure', '--address', `127.0.0.1:${port}`],
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

  let answered = 0;
  let refused = 0;
  let before = 0;
  for (let batch = 0; batch < REQUESTS / BATCH; batch += 1) {
    const queue = fc.sample(hostile, BATCH);
    const caller = async (): Promise<void> => {
      for (let bytes = queue.pop(); bytes !== undefined; bytes = queue.pop()) {
        const answer = await send(bytes);
        answered += 1;
        // What cannot be read as a request is gRPC's to refuse; the rest is answered, if with what is wrong.
        if ('code' in answer) expect([status.INTERNAL, status.RESOURCE_EXHAUSTED]).toContain(answer.code);
        else {
          const reason = fatal(answer);
          if (reason !== undefined) refused += 1;
          expect(reason ?? '').not.toContain('internal error');
          expect((reason ?? '').length).toBeLessThan(4000);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    // Node takes its time to give memory back: what counts is that it levels off.
    if (batch === REQUESTS / BATCH / 2) before = await memoryOf(child.pid);
  }
  expect(answered).toBe(REQUESTS);
  expect(refused).toBeGreaterThan(REQUESTS / 4);
  expect(child.exitCode).toBeNull();
  expect((await memoryOf(child.pid)) - before).toBeLessThan(GROWTH_MIB);
  const last = await send(ofSpec({}));
  expect('code' in last ? last : fatal(last)).toBeUndefined();
}, 120_000);
