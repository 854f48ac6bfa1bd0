/** The servers that the project's set-up started, for the tests to use. Other test files use them at the same time. */
import { inject } from 'vitest';
import { type CrossplaneAddress, CrossplaneClient } from './crossplane.ts';
import { Kubectl } from './kubectl.ts';
import { type PostgresAddress, PostgresClient } from './postgres-client.ts';

/** One server each in the projects `postgres` and `e2e`: the oldest and the newest that we test every time. */
export const postgresMajors = [15, 18] as const;

export type PostgresMajor = (typeof postgresMajors)[number];

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Record<PostgresMajor, PostgresAddress>;
    kubernetes: { command: string; kubeconfig: string };
    crossplane: CrossplaneAddress;
  }
}

/** In the projects `postgres` and `e2e`. Give databases and roles names of your own. */
export function sharedPostgres(major: PostgresMajor): PostgresClient {
  return new PostgresClient(inject('postgres')[major]);
}

/** In the projects `kubernetes` and `e2e`; our CRDs are there. Work in namespaces of your own. */
export function sharedCluster(): Kubectl {
  const { command, kubeconfig } = inject('kubernetes');
  return new Kubectl(command, kubeconfig);
}

/** In the project `e2e`. Give functions, XRDs and Compositions names of your own. */
export function sharedCrossplane(): CrossplaneClient {
  return new CrossplaneClient(sharedCluster(), inject('crossplane'));
}
