/** What an administrator of a managed cloud can do: NOSUPERUSER CREATEROLE CREATEDB, and nothing that it was not given. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { postgresMajors, sharedPostgres } from '../rig/servers.ts';

describe.each(postgresMajors)('a limited administrator on PostgreSQL %i', (label) => {
  const server = sharedPostgres(label);
  const { major } = server;
  const admin = `cloud ${randomBytes(3).toString('hex')}`;
  const prefix = `adm_${randomBytes(3).toString('hex')}`;
  const password = 'cloud-admin-password';
  const mark = { uid: 'u-1', resource: 'team/thing' };
  let engine: PostgresEngine;

  beforeAll(async () => {
    await server.query(`CREATE ROLE "${admin}" LOGIN CREATEROLE CREATEDB PASSWORD '${password}'`);
    // Settings of its own, which its sessions as people may be meant for, and those of ours are not.
    for (const setting of [
      'quote_all_identifiers TO on',
      'transform_null_equals TO on',
      'array_nulls TO off',
      'standard_conforming_strings TO off',
      "search_path TO '$user', public",
      "DateStyle TO 'SQL, DMY'",
      "TimeZone TO 'Asia/Kolkata'",
      ...(major >= 16 ? ["createrole_self_grant TO 'set, inherit'"] : []),
    ])
      await server.query(`ALTER ROLE "${admin}" SET ${setting}`);
    engine = new PostgresEngine({
      engine: 'postgres',
      host: server.host,
      port: server.port,
      username: admin,
      password: new Secret(password),
      database: 'postgres',
      tls: { mode: 'disable' },
      connectionLimit: 3,
    });
  });

  afterAll(async () => {
    await engine.close();
    const databases = await server.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [prefix],
    );
    for (const { name } of databases) await server.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    const roles = await server.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, $1) OR rolname = $2 ORDER BY rolname = $2',
      [prefix, admin],
    );
    for (const { name } of roles) await server.query(`DROP OWNED BY "${name}"; DROP ROLE "${name}"`);
  });

  /** Memberships of the administrator that let it act as the role; ADMIN alone, which 16 gives its maker, does not. */
  const memberships = async (): Promise<unknown[]> =>
    await server.query(
      `SELECT g.rolname AS name FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
       WHERE r.rolname = $1 ${major >= 16 ? 'AND (m.inherit_option OR m.set_option)' : ''}`,
      [admin],
    );

  const owner = `${prefix}_owner`;
  const database = `${prefix}_db`;
  const steps = async (...list: Step[]): Promise<void> => {
    await engine.run(list);
    expect(await memberships()).toEqual([]);
  };

  test('makes a database that another role owns from its first moment, with its mark', async () => {
    await steps({ kind: 'createRole', name: owner, attributes: { login: false }, mark });
    await steps({ kind: 'createDatabase', name: database, owner, connectionLimit: 7, mark });
    expect(await engine.read('database', [{ name: database }])).toMatchObject([{ owner, mark, connectionLimit: 7 }]);
  });

  test('makes many databases of one owner at the same time', async () => {
    const names = Array.from({ length: 5 }, (_, i) => `${prefix}_many${i}`);
    await Promise.all(names.map(async (name) => await engine.run([{ kind: 'createDatabase', name, owner, mark }])));
    await Promise.all(names.map(async (name) => await engine.run([{ kind: 'dropDatabase', name }])));
    expect(await memberships()).toEqual([]);
  });

  test('changes a database of another owner, and its owner', async () => {
    const next = `${prefix}_next`;
    await steps({ kind: 'createRole', name: next, attributes: {} });
    await steps(
      { kind: 'alterDatabase', name: database, owner: next, connectionLimit: 9 },
      { kind: 'setDatabaseSetting', name: database, setting: 'work_mem', value: '5MB' },
      { kind: 'mark', on: { type: 'database', name: database }, mark: { uid: 'u-2', resource: 'team/other' } },
    );
    expect(await engine.read('database', [{ name: database }])).toMatchObject([
      { owner: next, connectionLimit: 9, mark: { uid: 'u-2' }, settings: [{ name: 'work_mem', value: '5MB' }] },
    ]);
    await steps({ kind: 'alterDatabase', name: database, owner });
  });

  test('makes, gives away and drops schemas in a database that it does not own', async () => {
    const name = `${prefix}_schema`;
    await steps({ kind: 'createSchema', database, name, owner, mark });
    expect(await engine.read('schema', [{ database, name }])).toMatchObject([{ owner, mark }]);
    await steps({ kind: 'alterSchemaOwner', database, name, owner: `${prefix}_next` });
    await steps({ kind: 'revokeSchemaPublic', database, name: 'public', privileges: ['CREATE'] });
    await steps({ kind: 'dropSchema', database, name, cascade: true });
    expect(await engine.read('schema', [{ database, name }])).toEqual([undefined]);
  });

  test('gives schema public to a role', async () => {
    if (major < 15) return;
    await steps({ kind: 'alterSchemaOwner', database, name: 'public', owner });
    expect(await engine.read('schema', [{ database, name: 'public' }])).toMatchObject([{ owner }]);
  });

  test('makes and drops a trusted extension, in public when nothing else is said', async () => {
    await steps({ kind: 'createExtension', database, name: 'hstore', mark });
    expect(await engine.read('extension', [{ database, name: 'hstore' }])).toMatchObject([{ schema: 'public', mark }]);
    await steps({ kind: 'dropExtension', database, name: 'hstore' });
    await steps({ kind: 'createSchema', database, name: 'ext', owner });
    await steps({ kind: 'createExtension', database, name: 'hstore', schema: 'ext', mark });
    expect(await engine.read('extension', [{ database, name: 'hstore' }])).toMatchObject([{ schema: 'ext' }]);
    const [{ comment }] = (await server.query(
      "SELECT obj_description(oid, 'pg_extension') AS comment FROM pg_extension WHERE extname = 'hstore'",
      [],
      database,
    )) as [{ comment: string }];
    expect(comment).toBe('data type for storing sets of (key, value) pairs\nmanaged by xdatabase: team/thing (u-1)');
  });

  test('runs initSQL as the owner', async () => {
    await steps({ kind: 'initSQL', database, owner, sql: 'CREATE TABLE ext.made (id int)' });
    expect(await server.query("SELECT tableowner FROM pg_tables WHERE tablename = 'made'", [], database)).toEqual([
      { tableowner: owner },
    ]);
    const members = await server.query(
      "SELECT FROM pg_auth_members WHERE roleid = $1::regrole AND starts_with(member::regrole::text, 'xdatabase_run_')",
      [owner],
    );
    expect(members).toEqual([]);
  });

  test('tells a right password from a wrong one, and notices one that was changed by hand', async () => {
    const name = `${prefix}_login`;
    const right = new Secret('right');
    await steps({ kind: 'createRole', name, attributes: { login: true }, password: right });
    expect(await engine.checkPassword(name, undefined, right)).toBe('match');
    expect(await engine.checkPassword(name, undefined, new Secret('wrong'))).toBe('mismatch');
    await steps({ kind: 'setPassword', name, password: new Secret('second') });
    expect(await engine.checkPassword(name, undefined, right)).toBe('mismatch');
    await steps({ kind: 'setPassword', name, password: right });
    expect(await engine.checkPassword(name, undefined, right)).toBe('match');
  });

  test('does not take an expired or locked login for a wrong password', async () => {
    const name = `${prefix}_expired`;
    await steps({
      kind: 'createRole',
      name,
      attributes: { login: true },
      password: new Secret('right'),
      validUntil: '2020-01-01T00:00:00Z',
    });
    expect(await engine.checkPassword(name, undefined, new Secret('right'))).toBe('unknown');
    await steps({ kind: 'alterRole', name, attributes: { login: false }, validUntil: 'infinity' });
    expect(await engine.checkPassword(name, undefined, new Secret('right'))).toBe('unknown');
  });

  test('empties and drops a role that owns things in two databases', async () => {
    const name = `${prefix}_leaver`;
    await steps({ kind: 'createRole', name, attributes: { login: true }, password: new Secret('pw') });
    await server.query(
      `CREATE SCHEMA leaver AUTHORIZATION "${name}"; CREATE TABLE leaver.t (id int); ALTER TABLE leaver.t OWNER TO "${name}"`,
      [],
      database,
    );
    await server.query(`GRANT CONNECT ON DATABASE "${database}" TO "${name}"`);
    const [dependencies] = await engine.read('roleDependencies', [{ name }]);
    expect(dependencies?.owned).toEqual([{ database, objects: ['schema leaver', 'table leaver.t'], count: 2 }]);
    const databases = dependencies?.databases ?? [];
    expect(databases.toSorted()).toEqual([database, 'postgres'].toSorted());
    await steps(
      ...databases.flatMap((each): Step[] => [
        { kind: 'reassignOwned', database: each, from: name, to: owner },
        { kind: 'dropOwned', database: each, role: name },
      ]),
      { kind: 'dropRole', name },
    );
    expect(await engine.read('role', [{ name }])).toEqual([undefined]);
    expect(await server.query("SELECT tableowner FROM pg_tables WHERE tablename = 't'", [], database)).toEqual([
      { tableowner: owner },
    ]);
  });

  test('keeps the membership that it had before', async () => {
    const name = `${prefix}_kept`;
    await steps({ kind: 'createRole', name, attributes: {} });
    const option = major >= 16 ? ' WITH SET TRUE, INHERIT FALSE' : '';
    const client = { name: admin, password };
    await server.queryAs(client, 'postgres', `GRANT "${name}" TO "${admin}"${option}`);
    const before = await memberships();
    expect(before).toEqual([{ name }]);
    await engine.run([{ kind: 'createDatabase', name: `${prefix}_kept`, owner: name, mark }]);
    await engine.run([{ kind: 'setDatabaseSetting', name: `${prefix}_kept`, setting: 'work_mem', value: '6MB' }]);
    expect(await memberships()).toEqual(before);
    await server.queryAs(client, 'postgres', `REVOKE "${name}" FROM "${admin}"`);
  });

  test('drops a database that logins of its own are connected to', async () => {
    const name = `${prefix}_login`;
    const idle = new PostgresEngine({
      engine: 'postgres',
      host: server.host,
      port: server.port,
      username: name,
      password: new Secret('right'),
      database,
      tls: { mode: 'disable' },
      connectionLimit: 1,
    });
    await idle.info();
    await steps({ kind: 'dropDatabase', name: database });
    expect(await engine.read('database', [{ name: database }])).toEqual([undefined]);
    await idle.close();
  });

  test('says which membership it lacks, and does not try to join who it may not', async () => {
    const name = `${prefix}_foreign`;
    await server.query(`CREATE DATABASE "${name}"`);
    await expect(
      engine.run([{ kind: 'setDatabaseSetting', name, setting: 'work_mem', value: '5MB' }]),
    ).rejects.toMatchObject({ reason: 'PermissionDenied', message: expect.stringContaining('"postgres"') as string });
    await expect(
      engine.run([{ kind: 'createRole', name: `${prefix}_su`, attributes: { superUser: true } }]),
    ).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });
});
