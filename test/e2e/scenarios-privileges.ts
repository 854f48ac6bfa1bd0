/** What the three roles of PG9 may do in the database, and what becomes of it when grants go. */
import { expect } from 'vitest';
import { waitFor } from '../rig/process.ts';
import type { BackupWorld } from './backup-world.ts';
import { connectionSecret, managed, untilCondition } from './objects.ts';
import type { Scenario } from './scenarios-world.ts';

/** @param one Of PG9, with its base ready. */
export async function threeRoles({ cluster, server }: BackupWorld, one: Scenario): Promise<void> {
  const [migration, application, human] = [
    { name: 'migration-user', password: 'migrationpw' },
    { name: 'application-user', password: 'applicationpw' },
    { name: 'human-user', password: 'humanpw' },
  ] as const;
  type User = typeof migration | typeof application | typeof human;
  const as = async (user: User, sql: string): Promise<unknown[]> => await server.queryAs(user, 'example-db', sql);
  const refused = async (user: User, sql: string): Promise<void> =>
    await expect(as(user, sql)).rejects.toMatchObject({ code: '42501' });
  const table = 'CREATE TABLE sometable(some_id serial PRIMARY KEY, some_name VARCHAR (255))';
  // Unqualified it finds no schema at all, as public is closed to it.
  await refused(application, table.replace('sometable', 'public.sometable'));
  await as(migration, `SET search_path TO app1; ${table}; INSERT INTO sometable (some_name) VALUES ('a')`);
  // What is granted on all tables of a schema follows at the next look.
  await waitFor('human-user reads', async () => await as(human, 'SELECT count(*) FROM app1.sometable'));
  for (const sql of [
    'SELECT * FROM app1.sometable',
    "UPDATE app1.sometable SET some_name = 'b'",
    'DELETE FROM app1.sometable',
  ])
    await as(application, sql);
  await refused(application, "INSERT INTO app1.sometable (some_name) VALUES ('x')");
  const config = { kind: 'ProviderConfig', name: 'example-host' };
  await one.apply(
    managed(
      'DefaultPrivileges',
      one.namespace,
      'sequences',
      {
        databaseRef: { name: 'example-db' },
        targetRoleRef: { name: 'migration-user' },
        roleRef: { name: 'application-user' },
        objectType: 'sequence',
        privileges: ['USAGE', 'SELECT'],
      },
      { config },
    ),
  );
  await untilCondition(cluster, 'DefaultPrivileges', one.namespace, 'sequences', 'Ready', 'True');
  await as(migration, 'SET search_path TO app1; CREATE TABLE later(id serial PRIMARY KEY, name text)');
  await as(application, "INSERT INTO app1.later (name) VALUES ('x')");
  await as(human, 'SELECT * FROM app1.later');
  await refused(human, "INSERT INTO app1.later (name) VALUES ('y')");
  // A grant that is taken away by hand comes back; one that leaves the manifests is gone for good.
  await server.query('REVOKE USAGE ON SCHEMA app1 FROM "human-user"', [], 'example-db');
  await waitFor('it is back', async () => await as(human, 'SELECT * FROM app1.later'));
  await cluster.kubectl(['delete', 'grants.sql.m.xdatabase.dev', 'human-user-example-db-app1', '-n', one.namespace]);
  await refused(human, 'SELECT * FROM app1.later');
  const { password } = await connectionSecret(cluster, one.namespace, 'migration-user-secret-connection');
  expect(password).toBe(migration.password);
}
