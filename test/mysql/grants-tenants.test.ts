/** On a server that tenants share, a Grant reaches what its tenant made and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { admitted, withoutStrange } from '../../provider/resources/tenant-steps.ts';
import type { Tenant } from '../../provider/resources/tenant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let world: World;
  let tenant: Tenant;

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
    await world.users('mine', 'theirs');
    await world.databases('mine', 'theirs');
    await world.prepare('CREATE TABLE <mine>.t (id int)', 'CREATE TABLE <theirs>.t (id int)');
    tenant = {
      made: ({ name }) => name === world.name('mine'),
      mayJoin: () => false,
      maySet: () => false,
    };
  });
  afterAll(() => world.close());

  const context = () => ({
    reader: world.reader(),
    tenant,
    externalName: '',
    mark: { uid: 'u', resource: 'ns/name' },
    owned: false,
    applied: undefined,
    now: new Date(),
  });

  test.each<[string, () => GrantParameters]>([
    ['its database', () => ({ database: world.name('mine'), privileges: ['ALL'], withOption: true })],
    ['its table', () => ({ database: world.name('mine'), tables: ['t'], privileges: ['SELECT'] })],
    ['all its tables', () => ({ database: world.name('mine'), tables: ['*'], privileges: ['SELECT'] })],
    ['its account', () => ({ proxyOf: world.name('mine') })],
  ])('%s is granted on', async (_, spec) => {
    const plan = await world.grant({ role: world.name('mine'), ...spec() }).plan();
    expect((await admitted(plan, context())).steps).toHaveLength(1);
  });

  test.each<[string, () => GrantParameters]>([
    ['a database', () => ({ database: world.name('theirs'), privileges: ['SELECT'] })],
    ['a table', () => ({ database: world.name('theirs'), tables: ['t'], privileges: ['SELECT'] })],
    ['an account to act as', () => ({ proxyOf: world.name('theirs') })],
    ['an account to act as, at any host', () => ({ proxyOf: `${world.name('theirs')}@%` })],
    ['a grantee', () => ({ role: world.name('theirs'), database: world.name('mine'), privileges: ['SELECT'] })],
    ['a role to join', () => ({ memberOf: world.name('theirs') })],
  ])('%s of another is not', async (_, spec) => {
    const plan = await world.grant({ role: world.name('mine'), ...spec() }).plan();
    expect(plan.steps).not.toEqual([]);
    await expect(admitted(plan, context())).rejects.toMatchObject({ reason: 'NotYours' });
    expect((await withoutStrange(plan, context())).steps).toEqual([]);
  });
});
