/** The provider process: flags, wiring, start, drain. */
import type { Managed } from './api/kind.ts';
import type { ProviderConfig } from './api/provider-config.ts';
import { managedKinds } from './api/registry.ts';
import { ScheduleMetrics } from './controllers/jobs/schedule-metrics.ts';
import { Manager } from './controllers/manager.ts';
import { exposeServers } from './controllers/servers/server-metrics.ts';
import { BatchingReader } from './engines/reader.ts';
import { openEngine } from './engines/registry.ts';
import { FlagError, type Flags, HELP, parseFlags } from './flags.ts';
import { realClock } from './runtime/clock.ts';
import { KubeClient } from './runtime/kube/client.ts';
import { PooledKubeConfig, podNamespace } from './runtime/kube/config.ts';
import { EventRecorder } from './runtime/kube/events.ts';
import { LeaderElector } from './runtime/kube/leader.ts';
import { createLog, type Log } from './runtime/log.ts';
import { serveHealth, serveMetrics } from './runtime/telemetry/health.ts';
import { ManagedMetrics } from './runtime/telemetry/managed-metrics.ts';
import { Metrics } from './runtime/telemetry/metrics.ts';

const SCHEDULES = ['BackupSchedule', 'RestoreSchedule', 'CopySchedule'];
const LEASE = 'xdatabase-provider';
/** Where the provider is when nothing says so. */
const NAMESPACE = 'crossplane-system';
/** Kubernetes kills a pod 30 s after SIGTERM: what runs gets most of that, and the rest is for events and the lease. */
const DRAIN_MS = 20_000;
/** A server that does not even take a goodbye must not cost the next replica the time of the lease. */
const CLOSE_MS = 3_000;

async function main(): Promise<void> {
  let flags: Flags | undefined;
  try {
    flags = parseFlags(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
  if (flags === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const log = createLog({ level: flags.logLevel });
  // A rejection that nobody awaits means that the state of this process is unknown: end, and be started again.
  process.on('unhandledRejection', (error) => {
    log.error({ err: error }, 'unhandled rejection');
    process.exit(1);
  });
  let config: PooledKubeConfig;
  try {
    config = PooledKubeConfig.load({ kubeconfig: flags.kubeconfig });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`the Kubernetes API cannot be reached: ${message}; see --kubeconfig\n`);
    process.exit(1);
  }
  await run(flags, log, config);
}

async function run(flags: Flags, log: Log, config: PooledKubeConfig): Promise<void> {
  const client = new KubeClient(config);
  const metrics = new Metrics();
  const managed = new ManagedMetrics(metrics.registry);
  const recorder = new EventRecorder({
    client,
    log,
    component: 'xdatabase-provider',
    onDrop: (why) => {
      metrics.eventDropped(why);
    },
  });
  const manager: Manager = new Manager({
    client,
    recorder,
    log,
    clock: realClock,
    factory: {
      open: (settings) => {
        const engine = openEngine(settings);
        return { engine, reader: new BatchingReader(engine, { sweepMs: flags.pollMs }) };
      },
    },
    metrics: () => managed,
    observer: metrics,
    onController: (controller) => {
      metrics.watch(controller);
    },
    pollMs: flags.pollMs,
    syncMs: flags.syncMs,
    maxReconcileRate: flags.maxReconcileRate,
    managementPolicies: flags.managementPolicies,
    schedules: new ScheduleMetrics(metrics.registry, () =>
      SCHEDULES.flatMap((kind) => (manager.store(kind)?.list() ?? []) as Managed[]),
    ),
    runnerImage: flags.runnerImage,
    namespace: podNamespace(NAMESPACE),
  });
  exposeServers(metrics.registry, () =>
    ['ProviderConfig', 'ClusterProviderConfig'].flatMap(
      (kind) => (manager.store(kind)?.list() ?? []) as unknown as ProviderConfig[],
    ),
  );
  for (const kind of managedKinds) managed.watch(kind, () => (manager.store(kind.kind)?.list() ?? []) as Managed[]);
  const servers = await Promise.all([
    serveMetrics({ address: flags.metricsBindAddress, registry: metrics.registry, log }),
    serveHealth({ address: flags.healthBindAddress, ready: { caches: () => manager.ready }, log }),
  ]);

  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      stopping.abort(new Error(`received ${signal}`));
    });

  await untilStopped(stopping.signal, manager.start());
  const elector = flags.leaderElection ? electorFor(client, log, manager) : undefined;
  if (elector !== undefined) {
    metrics.leading(LEASE, false);
    await untilStopped(stopping.signal, elector.acquire(stopping.signal));
  }
  if (!stopping.signal.aborted) {
    if (elector !== undefined) metrics.leading(LEASE, true);
    manager.lead();
    log.info({ poll: flags.pollMs }, 'the provider is at work');
    await new Promise<void>((resolve) => {
      stopping.signal.addEventListener('abort', () => {
        resolve();
      });
    });
  }
  log.info('stopping');
  const ended = await manager.stop(DRAIN_MS, CLOSE_MS);
  await recorder.flush(CLOSE_MS);
  await elector?.release();
  await Promise.allSettled(servers.map(async (server) => await server?.close()));
  log.info({ drained: ended }, 'stopped');
  process.exit(0);
}

/** Waits for work unless the process is asked to stop, which is no failure. */
async function untilStopped(signal: AbortSignal, work: Promise<unknown>): Promise<void> {
  try {
    await Promise.race([
      work,
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      }),
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const electorFor = (client: KubeClient, log: Log, manager: Manager): LeaderElector =>
  new LeaderElector({
    client,
    log,
    namespace: podNamespace(NAMESPACE),
    name: LEASE,
    onLost: (reason) => {
      manager.abort(reason);
      log.error({ err: reason }, 'leadership was lost');
      process.exit(1);
    },
  });

await main();
