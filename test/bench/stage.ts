/** One contestant on parts of its own: a fresh cluster, a fresh PostgreSQL, and the provider at work. */
import type { Kubectl } from '../rig/kubectl.ts';
import { KubeClient } from '../../provider/runtime/kube/client.ts';
import { PooledKubeConfig } from '../../provider/runtime/kube/config.ts';
import { namespaceOf } from '../e2e/objects.ts';
import { startKubernetes } from '../rig/kubernetes.ts';
import { startPostgres } from '../rig/postgres.ts';
import type { ServerProcess } from '../rig/process.ts';
import { type Contestant, DATABASE, type StartOptions } from './contestants.ts';
import { createUntilReady } from './load.ts';
import { say } from './say.ts';
import { type Counters, ServerCounters } from './server-counters.ts';

export const NAMESPACE = 'bench';

/** Different statements that are counted: three for each of ten thousand resources, which no two have in common, and more. */
const STATEMENTS = '50000';

export interface Stage {
  cluster: Kubectl;
  client: KubeClient;
  provider: ServerProcess;
  counters: ServerCounters;
  /** As they were before the provider started. */
  before: Counters;
}

/** Sets everything up, lets `measure` do its work, and takes everything away again, whatever happens. */
export async function onStage<T>(
  contestant: Contestant,
  options: StartOptions,
  measure: (stage: Stage) => Promise<T>,
): Promise<T> {
  const undo: (() => Promise<void>)[] = [];
  try {
    say(`${contestant.label}: starting a cluster and PostgreSQL 18`);
    const cluster = await startKubernetes();
    undo.push(() => cluster.stop());
    const server = await startPostgres({ major: 18, settings: { 'pg_stat_statements.max': STATEMENTS } });
    undo.push(() => server.stop());
    await server.query(`create database ${DATABASE}`);
    await cluster.apply(await contestant.crds());
    await cluster.apply([namespaceOf(NAMESPACE), ...contestant.config(NAMESPACE, server)]);
    const config = PooledKubeConfig.load({ kubeconfig: cluster.kubeconfig });
    const client = new KubeClient(config);
    const counters = await ServerCounters.open(server);
    undo.push(() => counters.close());
    const before = await counters.read();
    const provider = await contestant.start(cluster, options);
    undo.push(() => provider.stop());
    // An answering port does not mean that the controllers run: the first resource that is Ready does.
    const { role } = contestant;
    await createUntilReady(client, NAMESPACE, [{ resource: role, objects: [contestant.newRole(NAMESPACE, 'first')] }]);
    return await measure({ cluster, client, provider, counters, before });
  } finally {
    for (const step of undo.toReversed()) await step().catch((error: unknown) => say(String(error)));
  }
}
