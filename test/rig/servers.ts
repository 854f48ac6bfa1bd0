/**
 * The servers that the project's set-up started, for the tests to use, and the programs that it built. Other test files use
 * them at the same time.
 */
import { join } from 'node:path';
import { inject } from 'vitest';
import { Kubectl } from './kubectl.ts';
import { MAJORS_VARIABLE, majorsOfProject, type PostgresMajor } from './majors.ts';
import { type MysqlAddress, MysqlClient } from './mysql-client.ts';
import { type PostgresAddress, PostgresClient } from './postgres-client.ts';
import { type S3Address, type S3Server, s3At } from './s3.ts';

/** One server each in the projects `postgres`, `matrix` and `e2e`. */
export const postgresMajors = majorsOfProject(process.env[MAJORS_VARIABLE]);

/** One server each in the project `mysql`. */
export const mysqlServers = ['MySQL 9.7', 'MariaDB 10.11', 'MariaDB 11.8'] as const;

export type MysqlServerName = (typeof mysqlServers)[number];

declare module 'vitest' {
  interface ProvidedContext {
    postgres: Partial<Record<PostgresMajor, PostgresAddress>>;
    mysql: Record<MysqlServerName, MysqlAddress>;
    s3: S3Address;
    kubernetes: { command: string; kubeconfig: string };
    programs: string;
  }
}

/** In the projects `postgres`, `matrix` and `e2e`. Give databases and roles names of your own. */
export function sharedPostgres(major: PostgresMajor): PostgresClient {
  const address = inject('postgres')[major];
  if (address === undefined) {
    throw new Error(`this project has no PostgreSQL ${major}, but ${postgresMajors.join(', ')}`);
  }
  return new PostgresClient(address);
}

/** For what is the same on all of them. */
export function newestPostgres(): PostgresMajor {
  return postgresMajors.at(-1)!;
}

/** In the project `mysql`. Give databases and accounts names of your own. */
export function sharedMysql(name: MysqlServerName): MysqlClient {
  return new MysqlClient(inject('mysql')[name]);
}

/** In the project `kubernetes`; our CRDs are there. Work in namespaces of your own. */
export function sharedCluster(): Kubectl {
  const { command, kubeconfig } = inject('kubernetes');
  return new Kubectl(command, kubeconfig);
}

/** In the project `backup`. Make buckets of your own. */
export function sharedS3(): S3Server {
  return s3At(inject('s3'));
}

/** In projects with the set-up `programs`: one of our programs as it is shipped, alone in its folder. */
export function builtProgram(name: 'function' | 'provider' | 'runner' | 'xdb'): string {
  return join(inject('programs'), name, `${name}.js`);
}
