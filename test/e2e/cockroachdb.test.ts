/** The acceptance scenarios CR1 to CR7 with a real API server, the provider as a process, and CockroachDB's stand-ins. */
import { afterAll } from 'vitest';
import { Simulator, simulatedVersions } from '../rig/cockroachdb/simulator.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { cr1 } from './cockroachdb/cr1.ts';
import { cr2 } from './cockroachdb/cr2.ts';
import { cr3 } from './cockroachdb/cr3.ts';
import { cr4 } from './cockroachdb/cr4.ts';
import { cr5 } from './cockroachdb/cr5.ts';
import { cr6 } from './cockroachdb/cr6.ts';
import { cr7 } from './cockroachdb/cr7.ts';
import type { Theatre } from './cockroachdb/scene.ts';
import { startProvider } from './provider-process.ts';

const [{ cluster, stop }, ...simulators] = await Promise.all([
  ownCluster(),
  ...simulatedVersions.map(async (version) => await Simulator.start({ version, secure: true })),
]);

const theatre: Theatre = {
  cluster,
  servers: new Map(simulatedVersions.map((version, i) => [version, simulators[i]!])),
  // Drift is waited for again and again.
  provider: await startProvider(cluster, { poll: '2s' }),
};

afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(theatre.provider.log());
  await theatre.provider.stop();
  for (const simulator of simulators) await simulator.stop();
  await stop();
});

for (const scenario of [cr1, cr2, cr3, cr4, cr5, cr6, cr7]) scenario(theatre);
