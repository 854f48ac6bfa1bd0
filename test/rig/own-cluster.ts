/**
 * A cluster for one test file. A provider reconciles every resource of its cluster, so two files that each start one, at the
 * same time, would do each other's work.
 */
import { type Crossplane, startCrossplane } from './crossplane.ts';
import { type Cluster, startKubernetes } from './kubernetes.ts';
import { applyKinds } from './setup/kubernetes.ts';

export interface OwnCluster {
  cluster: Cluster;
  stop: () => Promise<void>;
}

/** Kubernetes that knows our kinds. */
export async function ownCluster(): Promise<OwnCluster> {
  const cluster = await startKubernetes();
  await applyKinds(cluster);
  return { cluster, stop: () => cluster.stop() };
}

/** The same with Crossplane core in it. */
export async function ownCrossplane(): Promise<OwnCluster & { crossplane: Crossplane }> {
  const { cluster, stop } = await ownCluster();
  const crossplane = await startCrossplane(cluster, { pollInterval: '10s' }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    cluster,
    crossplane,
    stop: async () => {
      await crossplane.stop();
      await stop();
    },
  };
}
