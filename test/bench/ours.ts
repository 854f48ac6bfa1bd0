/** Our provider alone, at a size: its memory, and whether somebody's new resource has to wait for the others' polls. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Kubectl } from '../rig/kubectl.ts';
import { apiWrites, sumOf, writesBetween } from './api-counters.ts';
import { ours } from './contestants.ts';
import { createUntilReady, secondsUntilReady } from './load.ts';
import { processUsage } from './process-usage.ts';
import { say } from './say.ts';
import { callsBetween, isWrite } from './server-counters.ts';
import { NAMESPACE, onStage } from './stage.ts';

export interface AloneOptions {
  /** Resources in all, one half Roles and the other half Grants. */
  resources: number;
  json: boolean;
  profile?: string | undefined;
}

/** More than the poll of one minute: without a write in as long, everything has been looked at and needs nothing. */
const QUIET_MS = 70_000;
/** Bookkeeping about ten thousand resources, and their first polls, take minutes at the default --max-reconcile-rate. */
const MOST_SETTLE_MS = 15 * 60_000;
const LOOK_MS = 5_000;
const REST_MINUTES = 2;
/** Spread over one poll, so that some fall into its busiest moment. */
const NEWCOMERS = 12;
const NEWCOMER_EVERY_MS = 5_000;

/** Waits until nothing is written any more. Gives the seconds until the last write, give or take a look. */
async function secondsUntilQuiet(cluster: Kubectl): Promise<number> {
  const started = performance.now();
  let [writes, since] = [sumOf([...(await apiWrites(cluster))]), started];
  while (performance.now() - since < QUIET_MS && performance.now() - started < MOST_SETTLE_MS) {
    await delay(LOOK_MS);
    const now = sumOf([...(await apiWrites(cluster))]);
    if (now !== writes) [writes, since] = [now, performance.now()];
  }
  return (since - started) / 1000;
}

export async function measureOurs({ resources, json, profile }: AloneOptions): Promise<void> {
  const result = await onStage(ours, { profile }, async ({ cluster, client, provider, counters }) => {
    const names = Array.from({ length: Math.ceil(resources / 2) }, (_, at) => `app-${at}`);
    say(`${ours.label}: creating ${names.length} Roles and as many Grants`);
    const { readySeconds } = await createUntilReady(client, NAMESPACE, [
      { resource: ours.role, objects: names.map((name) => ours.newRole(NAMESPACE, name)) },
      { resource: ours.grant, objects: names.map((name) => ours.newGrant(NAMESPACE, name)) },
    ]);
    const loaded = processUsage(provider.pid);
    say(`${ours.label}: all Ready after ${readySeconds.toFixed(1)} s; settling`);
    const settleSeconds = await secondsUntilQuiet(cluster);
    const look = async () => ({
      server: await counters.read(),
      cpu: processUsage(provider.pid).cpuSeconds,
      api: await apiWrites(cluster),
    });
    const settled = await look();
    say(`${ours.label}: settled after ${settleSeconds.toFixed(0)} s; ${REST_MINUTES} minutes at rest`);
    await delay(REST_MINUTES * 60_000);
    const rested = await look();
    const calls = callsBetween(settled.server, rested.server);
    const sum = (counts: typeof calls): number => counts.reduce((total, { calls: n }) => total + n, 0);
    say(`${ours.label}: ${NEWCOMERS} newcomers`);
    const newcomers: number[] = [];
    for (let at = 0; at < NEWCOMERS; at++) {
      newcomers.push(await secondsUntilReady(client, ours.role, ours.newRole(NAMESPACE, `newcomer-${at}`)));
      await delay(NEWCOMER_EVERY_MS);
    }
    const { rssMB, peakRssMB } = processUsage(provider.pid);
    newcomers.sort((a, b) => a - b);
    return {
      readySeconds,
      settleSeconds,
      cpuSeconds: loaded.cpuSeconds,
      rssMB,
      peakRssMB,
      restLoginsPerMinute: (rested.server.logins - settled.server.logins) / REST_MINUTES,
      restStatementsPerMinute: sum(calls) / REST_MINUTES,
      restCpuSecondsPerMinute: (rested.cpu - settled.cpu) / REST_MINUTES,
      restWrites: sum(calls.filter(({ text }) => isWrite(text))),
      restApiWrites: sumOf(writesBetween(settled.api, rested.api)),
      newReadySecondsMedian: newcomers[Math.floor(newcomers.length / 2)] ?? 0,
      newReadySecondsWorst: newcomers.at(-1) ?? 0,
    };
  });
  const lines = Object.entries(result).map(([key, value]) => `${key.padEnd(26)}${value.toFixed(2).padStart(12)}`);
  process.stdout.write(`${json ? JSON.stringify(result, null, 2) : lines.join('\n')}\n`);
}
