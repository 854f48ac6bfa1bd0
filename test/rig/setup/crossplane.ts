import type { TestProject } from 'vitest/node';
import { startCrossplane } from '../crossplane.ts';
import { provideCluster } from './kubernetes.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await provideCluster(project);
  const crossplane = await startCrossplane(cluster, { pollInterval: '10s' });
  project.provide('crossplane', crossplane.address);
  return async () => {
    await crossplane.stop();
    await cluster.stop();
  };
}
