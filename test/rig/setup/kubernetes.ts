import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Cluster, startKubernetes } from '../kubernetes.ts';

const crds = join(import.meta.dirname, '../../../package/provider/crds');

/**
 * A cluster that knows our kinds from the start: the garbage collector looks for new kinds only every 30 s, and a test that
 * deletes would wait for it.
 */
export async function provideCluster(project: TestProject): Promise<Cluster> {
  const cluster = await startKubernetes();
  if (existsSync(crds)) {
    await cluster.apply(crds);
  }
  project.provide('kubernetes', { command: cluster.command, kubeconfig: cluster.kubeconfig });
  return cluster;
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await provideCluster(project);
  return () => cluster.stop();
}
