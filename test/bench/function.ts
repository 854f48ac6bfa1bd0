/**
 * Our function beside function-patch-and-transform: a claim of 12 composed resources, and 12 resources of 5 patches each,
 * both at rest, so that everything is observed. The caller sends and takes bytes, so that what is measured is theirs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  FunctionRunnerServiceService,
  RunFunctionRequest,
  RunFunctionResponse,
} from '@crossplane-org/function-sdk-typescript';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { startPeerFunction } from '../rig/peer-functions.ts';
import { freePort } from '../rig/process.ts';
import { processUsage } from './process-usage.ts';
import { say } from './say.ts';

const RESOURCES = 12;
const PATCHES = 5;
const CALLERS = 16;
const ROUNDS = 3;
const WARM_UP = 1500;

interface Contestant {
  name: string;
  address: string;
  pid: number;
  request: Buffer;
  stop(): Promise<void> | void;
}

type Json = Record<string, unknown>;

const encode = (request: object): Buffer =>
  Buffer.from(RunFunctionRequest.encode(RunFunctionRequest.fromPartial(request as never)).finish());

const composite = (spec: Json): Json => ({
  apiVersion: 'xdatabase.dev/v1alpha1',
  kind: 'XDatabase',
  metadata: { name: 'orders', namespace: 'team-a', uid: 'e9c0b0a4-0000-4000-8000-000000000001' },
  spec: { crossplane: {}, ...spec },
});

/** As the provider would have made it. */
const ready = (resource: object, name: string): Json => {
  const { metadata, ...rest } = resource as { metadata?: Json };
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  return {
    ...rest,
    metadata: { ...metadata, name, generation: 1 },
    status: {
      atProvider: {},
      conditions: [
        { type: 'Ready', status: 'True', reason: 'Available', lastTransitionTime, observedGeneration: 1 },
        { type: 'Synced', status: 'True', reason: 'ReconcileSuccess', lastTransitionTime, observedGeneration: 1 },
        { type: 'UpToDate', status: 'True', reason: 'ObserveMatched', lastTransitionTime, observedGeneration: 1 },
      ],
    },
  };
};

const CLAIM = composite({
  engine: 'postgres',
  serverRef: { name: 'shared-postgres' },
  databaseName: 'orders',
  schemas: [{ name: 'app' }, { name: 'audit' }],
  extensions: [{ name: 'pg_trgm' }],
  roles: [
    { name: 'migrate', access: 'owner' },
    { name: 'app', access: 'readWrite', connectionLimit: 20 },
  ],
});

const patched = (index: number): object => ({
  name: `resource-${index}`,
  base: {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind: 'Database',
    spec: {
      forProvider: { adopt: false, dropPolicy: 'WhenEmpty' },
      providerConfigRef: { kind: 'ClusterProviderConfig' },
    },
  },
  patches: [
    { type: 'FromCompositeFieldPath', fromFieldPath: 'metadata.namespace', toFieldPath: 'metadata.namespace' },
    {
      type: 'FromCompositeFieldPath',
      fromFieldPath: 'spec.serverRef.name',
      toFieldPath: 'spec.providerConfigRef.name',
    },
    {
      type: 'FromCompositeFieldPath',
      fromFieldPath: 'spec.databaseName',
      toFieldPath: 'metadata.annotations[crossplane.io/external-name]',
      transforms: [{ type: 'string', string: { type: 'Format', fmt: `%s_${index}` } }],
    },
    { type: 'FromCompositeFieldPath', fromFieldPath: 'spec.databaseName', toFieldPath: 'spec.forProvider.owner' },
    { type: 'FromCompositeFieldPath', fromFieldPath: 'spec.engine', toFieldPath: 'metadata.labels[engine]' },
  ].slice(0, PATCHES),
});

const Raw = makeGenericClientConstructor(
  {
    run: {
      ...FunctionRunnerServiceService.runFunction,
      requestSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    } as never,
  },
  'FunctionRunnerService',
);

class Caller {
  readonly #client: InstanceType<typeof Raw>;

  constructor(address: string) {
    this.#client = new Raw(address, credentials.createInsecure());
  }

  async call(request: Buffer): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      (this.#client['run'] as (...args: unknown[]) => unknown).call(
        this.#client,
        request,
        (error: ServiceError | null, response: Buffer) => {
          if (error === null) resolve(response);
          else reject(error);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Asks once for what would be composed, then shows it as made. */
async function atRest(address: string, first: object): Promise<Buffer> {
  const caller = new Caller(address);
  try {
    const answer = RunFunctionResponse.decode(await caller.call(encode(first)));
    const [failed] = answer.results;
    if (failed !== undefined) throw new Error(failed.message);
    const composed = Object.entries(answer.desired?.resources ?? {});
    if (composed.length !== RESOURCES) throw new Error(`${composed.length} resources were composed, not ${RESOURCES}`);
    const resources = Object.fromEntries(
      composed.map(([key, { resource }]) => [key, { resource: ready(resource ?? {}, `orders-${key}`) }]),
    );
    const observed = { ...(first as { observed: Json }).observed, resources };
    return encode({ ...first, observed });
  } finally {
    caller.close();
  }
}

const request = (input?: object): object => ({
  meta: { tag: 'bench' },
  observed: { composite: { resource: CLAIM }, resources: {} },
  ...(input === undefined ? {} : { input }),
});

async function startOurs(): Promise<Contestant> {
  const address = `127.0.0.1:${await freePort()}`;
  const main = join(import.meta.dirname, '../../function/main.ts');
  const child = spawn(process.execPath, [main, '--insecure', '--address', address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.resume();
  const stop = (): void => void child.kill('SIGKILL');
  try {
    return { name: 'ours', address, pid: child.pid ?? 0, request: await atRest(address, request()), stop };
  } catch (error) {
    stop();
    throw error;
  }
}

async function startTheirs(): Promise<Contestant> {
  const peer = await startPeerFunction('function-patch-and-transform');
  const resources = Array.from({ length: RESOURCES }, (_, index) => patched(index));
  const input = { apiVersion: 'pt.fn.crossplane.io/v1beta1', kind: 'Resources', resources };
  try {
    const rest = await atRest(peer.address, request(input));
    return {
      name: 'patch-and-transform',
      address: peer.address,
      pid: peer.pid,
      request: rest,
      stop: async () => await peer.stop(),
    };
  } catch (error) {
    await peer.stop();
    throw error;
  }
}

export interface FunctionNumbers {
  p50ms: number;
  p99ms: number;
  callsPerSecond: number;
  rssMB: number;
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.floor((sorted.length - 1) * q)] ?? Number.NaN;
const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

async function alone(caller: Caller, bytes: Buffer, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < calls; index += 1) {
    const start = performance.now();
    await caller.call(bytes);
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b);
}

async function together(caller: Caller, bytes: Buffer, calls: number): Promise<number> {
  let left = calls;
  const start = performance.now();
  const one = async (): Promise<void> => {
    for (; left > 0; left -= 1) await caller.call(bytes);
  };
  await Promise.all(Array.from({ length: CALLERS }, one));
  return calls / ((performance.now() - start) / 1000);
}

/** @param calls Calls of each round, alone and together. */
export async function compareFunctions({
  resources: calls,
  json,
}: {
  resources: number;
  json: boolean;
}): Promise<void> {
  const contestants = [await startOurs(), await startTheirs()];
  try {
    const rounds = new Map<string, FunctionNumbers[]>();
    for (const { address, request: bytes } of contestants) {
      const caller = new Caller(address);
      await together(caller, bytes, WARM_UP);
      caller.close();
    }
    // In turns, so that what else the machine does falls on both.
    for (let round = 1; round <= ROUNDS; round += 1)
      for (const { name, address, pid, request: bytes } of contestants) {
        const caller = new Caller(address);
        const times = await alone(caller, bytes, calls);
        const callsPerSecond = await together(caller, bytes, calls);
        caller.close();
        const numbers = {
          p50ms: quantile(times, 0.5),
          p99ms: quantile(times, 0.99),
          callsPerSecond,
          rssMB: processUsage(pid).rssMB,
        };
        say(`round ${round}, ${name}: p50 ${numbers.p50ms.toFixed(2)} ms, ${callsPerSecond.toFixed(0)} calls/s`);
        rounds.set(name, [...(rounds.get(name) ?? []), numbers]);
      }
    report(rounds, json);
  } finally {
    for (const contestant of contestants) await contestant.stop();
  }
}

function report(rounds: ReadonlyMap<string, readonly FunctionNumbers[]>, json: boolean): void {
  const results = [...rounds].map(([name, all]) => ({
    name,
    p50ms: median(all.map((one) => one.p50ms)),
    p99ms: median(all.map((one) => one.p99ms)),
    callsPerSecond: median(all.map((one) => one.callsPerSecond)),
    rssMB: Math.max(...all.map((one) => one.rssMB)),
  }));
  if (json) {
    process.stdout.write(`${JSON.stringify({ resources: RESOURCES, callers: CALLERS, results })}\n`);
    return;
  }
  const [ours, theirs] = results;
  for (const { name, p50ms, p99ms, callsPerSecond, rssMB } of results)
    process.stdout.write(
      `${name.padEnd(20)} p50 ${p50ms.toFixed(2)} ms, p99 ${p99ms.toFixed(2)} ms alone; ${callsPerSecond.toFixed(0)} calls/s with ${CALLERS} callers; ${rssMB.toFixed(0)} MB\n`,
    );
  if (ours !== undefined && theirs !== undefined)
    process.stdout.write(
      `p50 ${(ours.p50ms / theirs.p50ms).toFixed(2)} of theirs (wanted: at most 0.50), calls/s ${(ours.callsPerSecond / theirs.callsPerSecond).toFixed(2)} times theirs (wanted: at least 2.00)\n`,
    );
}
