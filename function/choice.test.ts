import { describe, expect, test } from 'vitest';
import { call, fatal, type Json, resourcesOf, roles } from './compose.fixture.ts';

const small = { name: 'small', serverRef: { name: 'pg' }, connectionLimit: 20 };
const my = { name: 'my', engine: 'mysql', serverRef: { kind: 'ProviderConfig', name: 'my' } };
const input = (more: Json = {}): object => ({
  input: { apiVersion: 'fn.xdatabase.dev/v1alpha1', kind: 'Input', classes: [small, my], ...more },
});
const ofClass = (name: string, more: Json = {}): Json => ({ serverRef: undefined, class: name, ...more });

describe('what the platform decides', () => {
  test.each<[string, Json, number]>([
    ['a class limits the sessions of its databases', ofClass('small'), 20],
    ['a claim may ask for fewer', ofClass('small', { database: { connectionLimit: 5 } }), 5],
    ['a server named by the claim has no limit but the one of the claim', { database: { connectionLimit: 50 } }, 50],
  ])('%s', (_, spec, expected) => {
    const { spec: database } = resourcesOf(call(spec, input()))['database'] ?? { spec: { forProvider: {} } };
    expect(database.forProvider).toMatchObject({ connectionLimit: expected });
  });

  test('the default server serves claims that name none', () => {
    const response = call({ serverRef: undefined }, input({ defaultServerRef: { name: 'default' } }));
    expect(resourcesOf(response)['database']?.spec.providerConfigRef).toEqual({
      kind: 'ClusterProviderConfig',
      name: 'default',
    });
  });

  test.each<[Json, Json, string]>([
    [{}, ofClass('big'), 'spec.class: "big" is not known; allowed: small, my'],
    [
      {},
      ofClass('small', { database: { connectionLimit: 21 } }),
      'spec.database.connectionLimit: 21 is not allowed by class "small"; allowed: 0 to 20',
    ],
    [
      {},
      ofClass('small', { database: { connectionLimit: -1 } }),
      'spec.database.connectionLimit: -1 is not allowed by class "small"',
    ],
    [{}, ofClass('my', { engine: 'postgres' }), 'spec.engine: postgres cannot be had from class my, which is mysql'],
    [{ allowedEngines: ['postgres'] }, { engine: 'mysql' }, 'spec.engine: mysql is not allowed; allowed: postgres'],
    [{ allowedEngines: ['postgres'] }, ofClass('my'), 'spec.engine: mysql is not allowed; allowed: postgres'],
    [{ maxRoles: 2 }, {}, 'spec.roles: there are 3; allowed: at most 2'],
  ])('%j refuses %j', (more, spec, message) => {
    const response = call(spec, input(more));
    expect(fatal(response)).toContain(message);
    expect(response.desired?.resources ?? {}).toEqual({});
  });

  test.each<[Json, string]>([
    [{ apiVersion: 'fn.xdatabase.dev/v1' }, 'input.apiVersion: '],
    [{ kind: 'Other' }, 'input.kind: '],
    [{ classes: { small: {} } }, 'input.classes: {"small":{}} is not a list'],
    [{ classes: [small, small] }, 'input.classes[1]: {"name":"small"'],
    [{ classes: [{ ...my, connectionLimit: 3 }] }, 'input.classes[0]: connectionLimit is known to postgres only'],
    [{ classes: [{ name: 'a' }] }, 'input.classes[0].serverRef: is required'],
    [
      { classes: [{ ...my, serverRef: { nme: 'a', name: 'b' } }] },
      'input.classes[0].serverRef.nme: is not a field; allowed: name, kind',
    ],
    [{ allowedEngines: [] }, 'input.allowedEngines: '],
    [{ allowedEngines: ['oracle'] }, 'input.allowedEngines[0]: "oracle" is not allowed; allowed: postgres'],
    [{ maxRoles: 33 }, 'input.maxRoles: 33 is out of range; allowed: 0 to 32'],
  ])('an input with %j is refused by its path', (wrong, message) => {
    expect(fatal(call({}, input(wrong)))).toContain(message);
  });
});

describe('whose credentials a claim gives', () => {
  const owner = { name: 'migrate', access: 'owner' };
  const reader = { name: 'report', access: 'readOnly' };
  test.each<[string, Json, string[]]>([
    ['the first that may write', {}, ['orders_app']],
    ['else the first owner', { roles: [reader, owner] }, ['orders_migrate']],
    ['else the first', { roles: [reader] }, ['orders_report']],
    ['or the one that is named', { connectionRole: 'report' }, ['orders_report']],
  ])('%s', (_, spec, [username]) => {
    const claim = { ...spec, claimRef: { name: 'orders', namespace: 'team-a' } };
    const key = `role-login-${username?.replace('orders_', '')}`;
    const details = { username: Buffer.from(username ?? '') };
    const observed = {
      composite: { resource: { kind: 'X', metadata: {}, spec: { serverRef: { name: 'a' }, roles, ...claim } } },
      resources: { [key]: { resource: {}, connectionDetails: details } },
    };
    const given = call({}, { observed }).desired?.composite?.connectionDetails ?? {};
    expect(given['username']?.toString()).toBe(username);
  });
});

describe('groups that a login joins', () => {
  const withGroups = (memberOf: unknown, more: Json = {}): Json => ({
    roles: [{ name: 'migrate', access: 'owner', memberOf }],
    ...more,
  });

  test('come after the group that owns the database', () => {
    const { spec } = resourcesOf(call(withGroups(['audit', 'orders_owner'])))['role-login-migrate'] ?? {
      spec: undefined,
    };
    expect(spec?.forProvider['memberOf']).toEqual([{ role: 'orders_owner' }, { role: 'audit' }]);
  });

  test.each(['mysql', 'mariadb'])('are all that it joins on %s, where an access level is a grant', (engine) => {
    const of = (memberOf?: string[]) =>
      resourcesOf(call(withGroups(memberOf, { engine })))['role-login-migrate']?.spec.forProvider['memberOf'];
    expect(of(['audit', 'ops@%'])).toEqual([{ role: 'audit' }, { role: 'ops@%' }]);
    expect(of()).toBeUndefined();
  });

  test.each<[Json, string]>([
    [withGroups(['a', 'a']), 'spec.roles[0].memberOf[1]: "a" is there twice'],
    [withGroups(['orders_migrate']), 'spec.roles[0].memberOf: "orders_migrate" is the role itself'],
    [
      withGroups(['orders_migrate'], { engine: 'mysql' }),
      'spec.roles[0].memberOf: "orders_migrate" is the role itself',
    ],
    [withGroups([3]), 'spec.roles[0].memberOf[0]: 3 is not a string'],
  ])('%j is refused', (spec, message) => {
    expect(fatal(call(spec))).toBe(message);
  });
});

test('a name too long for a Secret is refused before Crossplane would be', () => {
  const composite = {
    metadata: { name: 'o'.repeat(250), namespace: 'team-a' },
    spec: { serverRef: { name: 'a' }, databaseName: 'orders', roles },
  };
  expect(fatal(call({}, { observed: { composite: { resource: composite } } }))).toContain(
    'of 258 characters; allowed: 253',
  );
});
