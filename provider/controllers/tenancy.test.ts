import { describe, expect, test } from 'vitest';
import type { Managed } from '../api/kind.ts';
import { ResourceError } from '../resources/errors.ts';
import { claimOf } from './identity.ts';
import { type Inventory, type ServerPolicy, Tenancy } from './tenancy.ts';

const open: ServerPolicy = {
  server: 'db:5432',
  isolated: false,
  allowedRoleAttributes: new Set(),
  allowedServerPrivileges: new Set(),
  allowedExtensions: undefined,
};
const isolated: ServerPolicy = { ...open, isolated: true };

let counter = 0;
function make(
  kind: string,
  namespace: string,
  name: string,
  forProvider: Record<string, unknown> = {},
  created = '2026-01-01T00:00:00Z',
): Managed {
  counter += 1;
  return {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind,
    metadata: {
      namespace,
      name: `${name}-${counter}`,
      uid: `uid-${counter}`,
      creationTimestamp: created,
      annotations: { 'crossplane.io/external-name': name },
    },
    spec: { forProvider, providerConfigRef: { kind: 'ClusterProviderConfig', name: 'shared' } },
  };
}

const inventoryOf = (policy: ServerPolicy, ...resources: Managed[]): Inventory => ({
  claimants: (claim) =>
    resources.filter((r) => JSON.stringify(claimOf(r)) === JSON.stringify({ kind: claim.kind, name: claim.name })),
  policy: () => policy,
});

function refusal(policy: ServerPolicy, resource: Managed, ...others: Managed[]): string | undefined {
  try {
    new Tenancy(inventoryOf(policy, resource, ...others)).check(resource);
    return undefined;
  } catch (error) {
    if (error instanceof ResourceError) return error.reason;
    throw error;
  }
}

describe('one object has one manager', () => {
  const older = make('Database', 'team-a', 'orders', {}, '2026-01-01T00:00:00Z');
  const younger = make('Database', 'team-b', 'orders', {}, '2026-01-02T00:00:00Z');

  test('the older resource wins', () => {
    expect(refusal(open, older, younger)).toBeUndefined();
    expect(refusal(open, younger, older)).toBe('AlreadyManaged');
  });

  test('the refusal does not tell a tenant who the other is', () => {
    expect(() => {
      new Tenancy(inventoryOf(isolated, older, younger)).check(younger);
    }).toThrow(/by a resource of another namespace/);
  });

  test('two schemas of one name in two databases are two schemas', () => {
    const a = make('Schema', 'team-a', 'app', { database: 'x' });
    const b = make('Schema', 'team-a', 'app', { database: 'y' });
    expect(refusal(open, a, b)).toBeUndefined();
    expect(refusal(open, b, a)).toBeUndefined();
  });

  test('accounts of one name at two hosts are two accounts', () => {
    const a = make('Role', 'team-a', 'app', { host: '10.%' });
    const b = make('Role', 'team-a', 'app', { host: '%' });
    expect(refusal(open, b, a)).toBeUndefined();
  });
});

describe('on an isolated server', () => {
  const database = make('Database', 'team-a', 'orders');
  const role = make('Role', 'team-a', 'orders_app');

  test('a namespace names what it manages', () => {
    const grant = make('Grant', 'team-a', 'g', { role: 'orders_app', database: 'orders', privileges: ['CONNECT'] });
    expect(refusal(isolated, grant, database, role)).toBeUndefined();
  });

  // Every kind and field by which one namespace could reach into another.
  test.each([
    ['Database', { owner: 'orders_app' }],
    ['Database', { template: 'orders' }],
    ['Schema', { database: 'orders' }],
    ['Schema', { database: 'mine', owner: 'orders_app' }],
    ['Extension', { database: 'orders', extension: 'hstore' }],
    ['Role', { memberOf: [{ role: 'orders_app' }] }],
    ['Role', { connectionDatabase: 'orders' }],
    ['Role', { onDelete: { reassignOwnedTo: 'orders_app' } }],
    ['Grant', { role: 'orders_app', memberOf: 'mine' }],
    ['Grant', { role: 'mine', memberOf: 'orders_app' }],
    ['Grant', { role: 'mine', proxyOf: 'orders_app' }],
    ['Grant', { role: 'mine', proxyOf: 'orders_app@%' }],
    ['Grant', { role: 'mine@10.0.0.1', database: 'mine', privileges: ['SELECT'] }],
    ['Grant', { role: 'mine', database: 'orders', privileges: ['CONNECT'] }],
    ['Grant', { role: 'PUBLIC', database: 'orders', privileges: ['CONNECT'] }],
    ['Grant', { role: 'mine', database: 'mine', grantor: 'orders_app', privileges: ['CONNECT'] }],
    [
      'DefaultPrivileges',
      { database: 'mine', targetRole: 'orders_app', role: 'mine', objectType: 'table', privileges: ['SELECT'] },
    ],
    [
      'DefaultPrivileges',
      { database: 'mine', targetRole: 'mine', role: 'orders_app', objectType: 'table', privileges: ['SELECT'] },
    ],
    ['Role', { memberOf: [{ role: 'pg_read_all_data' }] }],
    ['Grant', { role: 'mine', memberOf: 'postgres' }],
    ['Database', { owner: 'nobody_manages_this' }],
  ])('%s %j of another namespace is refused', (kind, forProvider) => {
    const own = [make('Database', 'team-b', 'mine'), make('Role', 'team-b', 'mine')];
    expect(refusal(isolated, make(kind, 'team-b', 'attempt', forProvider), database, role, ...own)).toBe('NotYours');
    expect(refusal(open, make(kind, 'team-b', 'attempt', forProvider), database, role, ...own)).toBeUndefined();
  });

  test('an account is named with its host, and at any host with or without %', () => {
    const mine = [
      make('Database', 'team-b', 'mine'),
      make('Role', 'team-b', 'app', { host: '10.%' }),
      make('Role', 'team-b', 'any'),
    ];
    const grant = (to: string) => make('Grant', 'team-b', 'g', { role: to, database: 'mine', privileges: ['SELECT'] });
    for (const name of ['app@10.%', 'any', 'any@%']) expect(refusal(isolated, grant(name), ...mine)).toBeUndefined();
    for (const name of ['app', 'app@%', 'any@10.%']) expect(refusal(isolated, grant(name), ...mine)).toBe('NotYours');
    const twin = make('Role', 'team-c', 'any', { host: '%' }, '2026-02-01T00:00:00Z');
    expect(refusal(isolated, twin, ...mine)).toBe('AlreadyManaged');
  });

  test('a younger resource of another namespace does not make the name its own', () => {
    const thief = make('Role', 'team-b', 'orders_app', {}, '2026-02-01T00:00:00Z');
    const grant = make('Grant', 'team-b', 'g', { role: 'orders_app', memberOf: 'orders_app' });
    expect(refusal(isolated, grant, role, thief)).toBe('NotYours');
  });

  test.each(['superUser', 'createRole', 'createDb', 'replication', 'bypassRls'])(
    'the attribute %s has to be allowed',
    (attribute) => {
      const wanted = make('Role', 'team-b', 'mine', { privileges: { [attribute]: true } });
      expect(refusal(isolated, wanted)).toBe('AttributeNotAllowed');
      expect(refusal({ ...isolated, allowedRoleAttributes: new Set([attribute]) }, wanted)).toBeUndefined();
    },
  );

  test.each(['tablespaces', 'parameters', 'languages', 'foreignDataWrappers', 'system', 'databasePattern'])(
    'privileges on %s have to be allowed',
    (field) => {
      const wide: Record<string, unknown> = { system: true, databasePattern: 'team_b%' };
      const grant = make('Grant', 'team-b', 'g', {
        role: 'PUBLIC',
        [field]: wide[field] ?? ['x'],
        privileges: ['create'],
      });
      expect(refusal(isolated, grant)).toBe('PrivilegeNotAllowed');
      expect(refusal({ ...isolated, allowedServerPrivileges: new Set(['CREATE']) }, grant)).toBeUndefined();
    },
  );

  test('extensions are those on the list', () => {
    const policy = { ...isolated, allowedExtensions: new Set(['pgcrypto']) };
    const mine = make('Database', 'team-b', 'mine');
    expect(
      refusal(policy, make('Extension', 'team-b', 'x', { database: 'mine', extension: 'pgcrypto' }), mine),
    ).toBeUndefined();
    expect(refusal(policy, make('Extension', 'team-b', 'x', { database: 'mine', extension: 'dblink' }), mine)).toBe(
      'ExtensionNotAllowed',
    );
  });

  test.each(['Database', 'Role'])("a %s that nobody manages is not taken over: it may be anybody's", (kind) => {
    const thief = make(kind, 'team-b', 'legacy', { adopt: true });
    expect(refusal(isolated, thief)).toBe('AdoptionNotAllowed');
    expect(refusal(open, thief)).toBeUndefined();
  });

  test('schema public of an own database may be taken over', () => {
    const mine = make('Database', 'team-b', 'mine');
    expect(
      refusal(isolated, make('Schema', 'team-b', 'public', { database: 'mine', adopt: true }), mine),
    ).toBeUndefined();
  });

  test('a resource that is being deleted is not held up by what it names', () => {
    const grant = make('Grant', 'team-b', 'g', { role: 'gone', database: 'gone', privileges: ['CONNECT'] });
    grant.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(refusal(isolated, grant)).toBeUndefined();
  });
});
