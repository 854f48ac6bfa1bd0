/** Databases on real servers: made, at rest, set right after drift, and taken away without losing data. */
import { afterAll, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { ManagedResource, ManagedServer } from './managed.ts';

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  const on = new ManagedServer(major);
  const named = (suffix: string): string => `${on.prefix} ${suffix}`;
  afterAll(async () => {
    await on.close();
  });

  test('a database with every field is at rest once it is made, and drift is set right', async () => {
    await on.server.query(`CREATE ROLE "${named('owner')}"`);
    const database = new ManagedResource(on, 'Database', named('full'), {
      owner: named('owner'),
      encoding: 'UTF-8',
      collation: 'C',
      connectionLimit: 7,
      allowConnections: true,
      settings: [
        { name: 'search_path', value: '"$user",public,"Mixed Case"' },
        { name: 'work_mem', value: '8MB' },
        { name: 'DateStyle', value: 'ISO, DMY' },
      ],
    });
    expect(await database.converge()).toContain('createDatabase');
    await on.server.query(`ALTER DATABASE "${database.name}" CONNECTION LIMIT 1`);
    await on.server.query(`ALTER DATABASE "${database.name}" OWNER TO ${on.server.adminUser}`);
    await on.server.query(`ALTER DATABASE "${database.name}" SET work_mem = '1MB'`);
    await on.server.query(`ALTER DATABASE "${database.name}" SET jit = off`);
    expect(await database.converge()).toEqual(['alterDatabase', 'setDatabaseSetting']);
    database.edit({ owner: named('owner') });
    expect(await database.converge()).toEqual(Array(3).fill('setDatabaseSetting'));
    expect(await on.engine.read('database', [{ name: database.name }])).toMatchObject([
      { owner: named('owner'), connectionLimit: 7, settings: [{ name: 'jit', value: 'off' }] },
    ]);
    expect(await database.remove()).toMatchObject({ exists: false, steps: [], notes: [] });
    expect(await on.engine.read('database', [{ name: database.name }])).toEqual([undefined]);
  });

  test('initSQL runs once, as the owner', async () => {
    await on.server.query(`CREATE ROLE "${named('scripted')}"`);
    const spec = {
      owner: named('scripted'),
      dropPolicy: 'Always',
      initSQL: 'CREATE SCHEMA app; CREATE TABLE app.t ()',
    };
    const database = new ManagedResource(on, 'Database', named('init'), spec);
    expect(await database.converge()).toContain('initSQL');
    const owners = await on.server.query<{ owner: string }>(
      `SELECT tableowner AS owner FROM pg_tables WHERE schemaname = 'app'`,
      [],
      database.name,
    );
    expect(owners).toEqual([{ owner: named('scripted') }]);
    await on.server.query('DROP TABLE app.t', [], database.name);
    expect(await database.converge()).toEqual([]);
    await database.remove();
  });

  test('what it holds is never lost by default', async () => {
    const database = new ManagedResource(on, 'Database', named('held'), {});
    await database.converge();
    await on.server.query('CREATE TABLE public.t ()', [], database.name);
    const kept = await database.remove();
    expect(kept).toMatchObject({ exists: false, steps: [], notes: [{ reason: 'KeptExternalResource' }] });
    expect(kept.notes?.[0]?.message).toContain('1 table');
    expect(await on.server.query('SELECT FROM public.t', [], database.name)).toEqual([]);
    database.edit({ dropPolicy: 'Always' });
    await database.remove();
    expect(await on.engine.read('database', [{ name: database.name }])).toEqual([undefined]);
  });

  test('a database of somebody else is adopted only when asked to, and stays when the resource goes', async () => {
    await on.server.query(`CREATE DATABASE "${named('old')}"`);
    const database = new ManagedResource(on, 'Database', named('old'), {});
    await expect(database.plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    expect(await database.remove()).toMatchObject({ exists: false, steps: [] });
    database.edit({ adopt: true });
    expect(await database.converge()).toEqual(['mark']);
    const second = new ManagedResource(on, 'Database', named('old'), {});
    await expect(second.plan()).rejects.toMatchObject({ message: expect.stringContaining('team-a/one') });
    expect(await database.remove()).toMatchObject({ notes: [{ reason: 'KeptExternalResource' }] });
    expect(await on.engine.read('database', [{ name: named('old') }])).toMatchObject([{ name: named('old') }]);
  });
});
