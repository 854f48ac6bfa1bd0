/** The servers that the project's set-up started, for the tests to use. */
import { inject } from 'vitest';
import { type PostgresAddress, PostgresClient } from './postgres-client.ts';

/** One server each in the projects `postgres` and `e2e`: the oldest and the newest that we test every time. */
export const postgresMajors = [15, 18] as const;

export type PostgresMajor = (typeof postgresMajors)[number];

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Record<PostgresMajor, PostgresAddress>;
  }
}

/** The shared server of this major. Other test files use it at the same time: give databases and roles names of your own. */
export function sharedPostgres(major: PostgresMajor): PostgresClient {
  return new PostgresClient(inject('postgres')[major]);
}
