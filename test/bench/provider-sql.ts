/** Our provider beside provider-sql: the same resources, the same machine, one after the other. */
import { setTimeout as delay } from 'node:timers/promises';
import { apiWrites, sumOf, writesBetween } from './api-counters.ts';
import { type Contestant, ours, peer } from './contestants.ts';
import { createUntilReady } from './load.ts';
import { cpuBetween, cpuByProgram, processUsage } from './process-usage.ts';
import { callsBetween, isWrite, type StatementCount } from './server-counters.ts';
import { say } from './say.ts';
import { NAMESPACE, onStage, type Stage } from './stage.ts';

export interface Measured {
  createSeconds: number;
  readySeconds: number;
  logins: number;
  statements: number;
  /** Writes to the Kubernetes API by the provider, the creation of the resources not counted. */
  apiWrites: number;
  cpuSeconds: number;
  /** Of everything together: API server, etcd, controllers, PostgreSQL, provider and this program. */
  allCpuSeconds: number;
  rssMB: number;
  peakRssMB: number;
  restLoginsPerMinute: number;
  restStatementsPerMinute: number;
  restCpuSecondsPerMinute: number;
  /** Statements that are not reads, in all of the rest. */
  restWrites: number;
  /** Writes to the Kubernetes API in all of the rest. */
  restApiWrites: number;
}

export interface CompareOptions {
  /** Roles, and as many grants. */
  resources: number;
  json: boolean;
  profile?: string | undefined;
}

/** More than the poll of one minute: each resource has been looked at once since it settled. */
const SETTLE_MS = 70_000;
const REST_MINUTES = 2;

async function measure(contestant: Contestant, count: number, stage: Stage): Promise<Measured> {
  const { cluster, client, provider, counters, before } = stage;
  const { label } = contestant;
  const look = async () => ({
    server: await counters.read(),
    process: processUsage(provider.pid),
    api: await apiWrites(cluster),
  });
  const cpu = () => cpuByProgram(new Map([[provider.pid, 'provider']]));
  const names = Array.from({ length: count }, (_, at) => `app-${at}`);
  say(`${label}: creating ${count} Roles and ${count} Grants`);
  const apiBefore = await apiWrites(cluster);
  const cpuBefore = cpu();
  const { createSeconds, readySeconds } = await createUntilReady(client, NAMESPACE, [
    { resource: contestant.role, objects: names.map((name) => contestant.newRole(NAMESPACE, name)) },
    { resource: contestant.grant, objects: names.map((name) => contestant.newGrant(NAMESPACE, name)) },
  ]);
  const cpuUsed = cpuBetween(cpuBefore, cpu());
  const loaded = await look();
  say(`${label}: all Ready after ${readySeconds.toFixed(1)} s; settling, then ${REST_MINUTES} minutes at rest`);
  explain(label, 'until Ready', callsBetween(before, loaded.server));
  const creation = writesBetween(apiBefore, loaded.api);
  explainWrites(label, 'until Ready', creation);
  explainCpu(label, 'until Ready', cpuUsed);
  await delay(SETTLE_MS);
  const settled = await look();
  await delay(REST_MINUTES * 60_000);
  const rested = await look();
  const calls = callsBetween(settled.server, rested.server);
  explain(label, 'at rest', calls);
  const restApi = writesBetween(settled.api, rested.api);
  explainWrites(label, 'at rest', restApi);
  const perMinute = (from: number, to: number): number => (to - from) / REST_MINUTES;
  return {
    createSeconds,
    readySeconds,
    logins: loaded.server.logins - before.logins,
    statements: loaded.server.statements - before.statements,
    apiWrites: sumOf(creation) - 2 * count,
    cpuSeconds: loaded.process.cpuSeconds,
    allCpuSeconds: cpuUsed.reduce((sum, [, seconds]) => sum + seconds, 0),
    rssMB: rested.process.rssMB,
    peakRssMB: rested.process.peakRssMB,
    restLoginsPerMinute: perMinute(settled.server.logins, rested.server.logins),
    restStatementsPerMinute: perMinute(settled.server.statements, rested.server.statements),
    restCpuSecondsPerMinute: perMinute(settled.process.cpuSeconds, rested.process.cpuSeconds),
    restWrites: calls.filter(({ text }) => isWrite(text)).reduce((sum, { calls: n }) => sum + n, 0),
    restApiWrites: sumOf(restApi),
  };
}

/** The most frequent statements, those that differ only in a name taken together. */
function explain(label: string, when: string, calls: readonly StatementCount[]): void {
  const shapes = new Map<string, number>();
  for (const { text, calls: n } of calls) {
    const shape = text
      .replaceAll(/app-\d+/g, 'app-N')
      .replaceAll(/'[^']*'/g, "'…'")
      .replaceAll(/\s+/g, ' ')
      .slice(0, 110);
    shapes.set(shape, (shapes.get(shape) ?? 0) + n);
  }
  const top = [...shapes].sort(([, a], [, b]) => b - a).slice(0, 12);
  say([`${label}: statements ${when}`, ...top.map(([text, n]) => `  ${String(n).padStart(6)}  ${text}`)].join('\n'));
}

function explainWrites(label: string, when: string, writes: readonly [string, number][]): void {
  const lines = writes.slice(0, 12).map(([name, n]) => `  ${String(n).padStart(6)}  ${name}`);
  say([`${label}: writes to the Kubernetes API ${when}`, ...lines].join('\n'));
}

function explainCpu(label: string, when: string, used: readonly [string, number][]): void {
  const lines = used.map(([program, seconds]) => `  ${seconds.toFixed(2).padStart(6)}  ${program}`);
  say([`${label}: CPU seconds ${when}`, ...lines].join('\n'));
}

const ROWS: [keyof Measured, string][] = [
  ['createSeconds', 'objects created, s'],
  ['readySeconds', 'all Ready, s'],
  ['logins', 'logins until Ready'],
  ['statements', 'statements until Ready'],
  ['apiWrites', 'API writes until Ready'],
  ['cpuSeconds', 'CPU until Ready, s'],
  ['allCpuSeconds', 'CPU of all together, s'],
  ['rssMB', 'RSS at rest, MB'],
  ['peakRssMB', 'highest RSS, MB'],
  ['restLoginsPerMinute', 'logins/min at rest'],
  ['restStatementsPerMinute', 'statements/min at rest'],
  ['restCpuSecondsPerMinute', 'CPU s/min at rest'],
  ['restWrites', `writes in ${REST_MINUTES} min at rest`],
  ['restApiWrites', `API writes, ${REST_MINUTES} min at rest`],
];

const rounded = (value: number): number => Math.round(value * 100) / 100;

function table(result: { ours: Measured; peer: Measured }): string {
  const cells = ROWS.map(([key, title]) => {
    const [left, right] = [result.ours[key], result.peer[key]];
    const ratio = right === 0 ? '–' : (left / right).toPrecision(2);
    return [title, String(rounded(left)), String(rounded(right)), ratio];
  });
  const lines = [['', ours.label, peer.label, 'ratio'], ...cells];
  return lines
    .map(([title = '', ...values]) => title.padEnd(26) + values.map((value) => value.padStart(14)).join(''))
    .join('\n');
}

export async function compareWithProviderSql({ resources, json, profile }: CompareOptions): Promise<void> {
  const run = (contestant: Contestant): Promise<Measured> =>
    onStage(contestant, { profile }, (stage) => measure(contestant, resources, stage));
  const result = { ours: await run(ours), peer: await run(peer) };
  process.stdout.write(`${json ? JSON.stringify(result, null, 2) : table(result)}\n`);
}
