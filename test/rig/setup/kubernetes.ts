import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Cluster, startKubernetes } from '../kubernetes.ts';

const crds = join(import.meta.dirname, '../../../package/provider/crds');

/**
 * Our kinds from the start: the garbage collector looks for new kinds only every 30 s, and a test that deletes would wait
 * for it.
 */
export async function applyKinds(cluster: Cluster): Promise<void> {
  if (existsSync(crds)) {
    await cluster.apply(crds);
  }
}

/** The cluster that the tests of the project `kubernetes` share. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startKubernetes();
  await applyKinds(cluster);
  project.provide('kubernetes', { command: cluster.command, kubeconfig: cluster.kubeconfig });
  return () => cluster.stop();
}
