/** Schemas on real servers: made, at rest, set right after drift, and taken away without losing data. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { ManagedResource, ManagedServer } from './managed.ts';

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  const on = new ManagedServer(major);
  const named = (suffix: string): string => `${on.prefix} ${suffix}`;
  const database = named('db');
  beforeAll(async () => {
    await on.server.query(`CREATE ROLE "${named('owner')}"`);
    await on.server.query(`CREATE DATABASE "${database}"`);
  });
  afterAll(async () => {
    await on.close();
  });

  test('a schema is at rest once it is made, and drift is set right', async () => {
    const schema = new ManagedResource(on, 'Schema', 'App', {
      database,
      owner: named('owner'),
      revokePublicOnSchema: true,
    });
    expect(await schema.converge()).toEqual(['createSchema']);
    await on.server.query(`GRANT USAGE, CREATE ON SCHEMA "App" TO PUBLIC`, [], database);
    await on.server.query(`ALTER SCHEMA "App" OWNER TO ${on.server.adminUser}`, [], database);
    expect(await schema.converge()).toEqual(['alterSchemaOwner', 'revokeSchemaPublic']);
    expect(await on.engine.read('schema', [{ database, name: 'App' }])).toMatchObject([
      { owner: named('owner'), publicPrivileges: [] },
    ]);
    expect(await schema.remove()).toMatchObject({ exists: false, steps: [], notes: [] });
    expect(await on.engine.read('schema', [{ database, name: 'App' }])).toEqual([undefined]);
  });

  test('what it holds is dropped only by dropPolicy Always', async () => {
    const schema = new ManagedResource(on, 'Schema', 'held', { database });
    await schema.converge();
    await on.server.query('CREATE TABLE held.t ()', [], database);
    expect(await schema.remove()).toMatchObject({ steps: [], notes: [{ reason: 'KeptExternalResource' }] });
    expect(await on.server.query('SELECT FROM held.t', [], database)).toEqual([]);
    schema.edit({ database, dropPolicy: 'Always' });
    await schema.remove();
    expect(await on.engine.read('schema', [{ database, name: 'held' }])).toEqual([undefined]);
  });

  test('a database that is gone took its schemas with it', async () => {
    await on.server.query(`CREATE DATABASE "${named('short')}"`);
    const schema = new ManagedResource(on, 'Schema', 'app', { database: named('short') });
    await schema.converge();
    await on.server.query(`DROP DATABASE "${named('short')}" WITH (FORCE)`);
    expect(await schema.remove()).toMatchObject({ exists: false, steps: [] });
    await expect(schema.plan()).rejects.toMatchObject({ reason: 'Waiting' });
  });
});
