/** Roles on real servers: made, at rest, set right after drift, and dropped only when nothing is lost by it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/resources/secret.ts';
import { postgresMajors } from '../rig/servers.ts';
import { ManagedResource, ManagedServer } from './managed.ts';

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  const on = new ManagedServer(major);
  const named = (suffix: string): string => `${on.prefix} ${suffix}`;
  beforeAll(async () => {
    await on.server.query(`CREATE ROLE "${named('group')}"`);
    await on.server.query(`CREATE ROLE "${named('others')}"`);
    await on.server.query(`CREATE DATABASE "${named('db')}"`);
  });
  afterAll(async () => {
    await on.close();
  });

  test('a role with every field is at rest once it is made, and drift is set right', async () => {
    const role = new ManagedResource(on, 'Role', named('full'), {
      privileges: { createDb: true, inherit: false, login: true },
      connectionLimit: 3,
      validUntil: '2035-01-31T14:00:00+02:00',
      configurationParameters: [
        { name: 'search_path', value: '"$user",public,"Mixed Case"' },
        { name: 'statement_timeout', value: '30s' },
        { name: 'DateStyle', value: 'ISO, DMY' },
      ],
      memberOf: [{ role: named('group'), admin: true }],
    });
    role.password = new Secret('first-password');
    expect(await role.converge()).toContain('createRole');
    await on.server.query(`ALTER ROLE "${role.name}" NOCREATEDB CONNECTION LIMIT 1 VALID UNTIL 'infinity'`);
    await on.server.query(`ALTER ROLE "${role.name}" SET work_mem = '1MB'`);
    await on.server.query(`REVOKE "${named('group')}" FROM "${role.name}"`);
    await on.server.query(`GRANT "${named('others')}" TO "${role.name}"`);
    expect(await role.converge()).toEqual(['alterRole', 'grantMembership', 'setRoleSetting']);
    role.edit({});
    const kinds = await role.converge();
    expect(new Set(kinds)).toEqual(new Set(['alterRole', 'revokeMembership', 'setRoleSetting']));
    const [observed] = await on.engine.read('role', [{ name: role.name }]);
    expect(observed).toMatchObject({
      attributes: { createDb: false, inherit: true, login: true },
      settings: [],
      memberOf: [{ role: named('others') }],
    });
    expect(observed?.connectionLimit ?? -1).toBe(-1);
    expect(observed?.validUntil ?? 'infinity').toBe('infinity');
    expect(await role.remove()).toMatchObject({ exists: false, steps: [] });
    expect(await on.engine.read('role', [{ name: role.name }])).toEqual([undefined]);
  });

  test('a password that somebody changed is set again; one that is right is left', async () => {
    const role = new ManagedResource(on, 'Role', named('login'), {});
    role.password = new Secret("p@ss:w/rd '%41");
    await role.converge();
    expect(await role.converge()).toEqual([]);
    await on.server.query(`ALTER ROLE "${role.name}" PASSWORD 'somebody'`);
    expect(await role.converge()).toEqual(['setPassword']);
    await role.remove();
  });

  test('a role that owns something is not dropped until its objects have somewhere to go', async () => {
    const role = new ManagedResource(on, 'Role', named('owner'), {});
    await role.converge();
    await on.server.query(`CREATE TABLE public.kept (id int)`, [], named('db'));
    await on.server.query(`INSERT INTO public.kept VALUES (1)`, [], named('db'));
    await on.server.query(`ALTER TABLE public.kept OWNER TO "${role.name}"`, [], named('db'));
    await expect(role.remove()).rejects.toMatchObject({
      reason: 'DependentObjects',
      message: expect.stringMatching(/kept.*reassignOwnedTo/),
    });
    role.edit({ onDelete: { reassignOwnedTo: named('group') } });
    expect(await role.remove()).toMatchObject({ exists: false, steps: [] });
    const owners = await on.server.query(
      `SELECT tableowner AS owner FROM pg_tables WHERE tablename = 'kept'`,
      [],
      named('db'),
    );
    expect(owners).toEqual([{ owner: named('group') }]);
    expect(await on.server.query('SELECT id FROM public.kept', [], named('db'))).toEqual([{ id: 1 }]);
  });

  test('privileges that a role holds go with it, wherever they are', async () => {
    const role = new ManagedResource(on, 'Role', named('granted'), {});
    await role.converge();
    await on.server.query(`CREATE TABLE public.read ()`, [], named('db'));
    await on.server.query(`GRANT SELECT ON public.read TO "${role.name}"`, [], named('db'));
    await on.server.query(`GRANT CONNECT ON DATABASE "${named('db')}" TO "${role.name}"`);
    expect(await role.remove()).toMatchObject({ exists: false, steps: [] });
    expect(await on.engine.read('role', [{ name: role.name }])).toEqual([undefined]);
  });

  test('a role of somebody else is adopted only when asked to, and stays when the resource goes', async () => {
    const role = new ManagedResource(on, 'Role', named('others'), { privileges: { login: false } });
    await expect(role.plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    role.edit({ adopt: true, privileges: { login: false } });
    expect(await role.converge()).toEqual(['mark']);
    expect(await role.remove()).toMatchObject({ notes: [{ reason: 'KeptExternalResource' }] });
    expect(await on.engine.read('role', [{ name: named('others') }])).toMatchObject([{ name: named('others') }]);
  });
});
