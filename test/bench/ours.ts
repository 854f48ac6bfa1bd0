/** Our provider alone, at a size: its memory, and whether somebody's new resource has to wait for the others' polls. */
import { setTimeout as delay } from 'node:timers/promises';
import { ours } from './contestants.ts';
import { createUntilReady, secondsUntilReady } from './load.ts';
import { processUsage } from './process-usage.ts';
import { say } from './say.ts';
import { NAMESPACE, onStage } from './stage.ts';

export interface AloneOptions {
  /** Resources in all, one half Roles and the other half Grants. */
  resources: number;
  json: boolean;
  profile?: string | undefined;
}

const SETTLE_MS = 70_000;
/** Spread over one poll, so that some fall into its busiest moment. */
const NEWCOMERS = 12;
const NEWCOMER_EVERY_MS = 5_000;

export async function measureOurs({ resources, json, profile }: AloneOptions): Promise<void> {
  const result = await onStage(ours, { profile }, async ({ client, provider, counters }) => {
    const names = Array.from({ length: Math.ceil(resources / 2) }, (_, at) => `app-${at}`);
    say(`${ours.label}: creating ${names.length} Roles and as many Grants`);
    const { readySeconds } = await createUntilReady(client, NAMESPACE, [
      { resource: ours.role, objects: names.map((name) => ours.newRole(NAMESPACE, name)) },
      { resource: ours.grant, objects: names.map((name) => ours.newGrant(NAMESPACE, name)) },
    ]);
    const loaded = processUsage(provider.pid);
    say(`${ours.label}: all Ready after ${readySeconds.toFixed(1)} s; settling`);
    await delay(SETTLE_MS);
    const settled = { logins: (await counters.read()).logins, cpu: processUsage(provider.pid).cpuSeconds };
    const started = performance.now();
    const newcomers: number[] = [];
    for (let at = 0; at < NEWCOMERS; at++) {
      newcomers.push(await secondsUntilReady(client, ours.role, ours.newRole(NAMESPACE, `newcomer-${at}`)));
      await delay(NEWCOMER_EVERY_MS);
    }
    const minutes = (performance.now() - started) / 60_000;
    const rested = processUsage(provider.pid);
    newcomers.sort((a, b) => a - b);
    return {
      readySeconds,
      cpuSeconds: loaded.cpuSeconds,
      rssMB: rested.rssMB,
      peakRssMB: rested.peakRssMB,
      restLoginsPerMinute: ((await counters.read()).logins - settled.logins) / minutes,
      restCpuSecondsPerMinute: (rested.cpuSeconds - settled.cpu) / minutes,
      newReadySecondsMedian: newcomers[Math.floor(newcomers.length / 2)] ?? 0,
      newReadySecondsWorst: newcomers.at(-1) ?? 0,
    };
  });
  const lines = Object.entries(result).map(([key, value]) => `${key.padEnd(26)}${value.toFixed(2).padStart(12)}`);
  process.stdout.write(`${json ? JSON.stringify(result, null, 2) : lines.join('\n')}\n`);
}
