import { describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { externalNameOf } from '../../runtime/managed/annotations.ts';
import { claimOf } from '../objects/identity.ts';
import type { ServerPolicy } from './policy.ts';
import { type Inventory, Tenancy } from './tenancy.ts';

const open: ServerPolicy = {
  server: 'db:5432',
  isolated: false,
  allowedRoleAttributes: new Set(),
  allowedServerPrivileges: new Set(),
  allowedGroups: new Set(),
  allowedSettings: new Set(),
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
  namesakes: (role) => resources.filter((r) => r.kind === 'Role' && externalNameOf(r) === externalNameOf(role)),
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

  test('nothing new is made for what is being deleted, and what there is goes on', () => {
    const going = make('Role', 'a', 'owner');
    going.metadata.deletionTimestamp = '2026-01-02T00:00:00Z';
    const next = make('Role', 'a', 'owner', {}, '2026-01-01T01:00:00Z');
    const database = make('Database', 'a', 'orders', { owner: 'owner' });
    for (const policy of [open, isolated]) {
      expect(refusal(policy, database, going, next)).toBe('Waiting');
      expect(refusal(policy, database, next)).toBeUndefined();
    }
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    expect(refusal(open, database, going, next)).toBeUndefined();
  });

  test('what is made for a role that its own composite is to have waits, though its manager does not go yet', () => {
    const label = (made: Managed, composite: string): Managed => {
      made.metadata.labels = { 'crossplane.io/composite': composite };
      return made;
    };
    const first = label(make('Role', 'a', 'owner'), 'first');
    const second = label(make('Role', 'a', 'owner', {}, '2026-02-01T00:00:00Z'), 'second');
    const database = label(make('Database', 'a', 'orders', { owner: 'owner' }), 'second');
    expect(refusal(open, database, first, second)).toBe('Waiting');
    expect(refusal(open, database, second)).toBeUndefined();
    // Whose it is to be is nobody else's business.
    expect(refusal(open, label(database, 'third'), first, second)).toBeUndefined();
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    expect(refusal(open, label(database, 'second'), first, second)).toBeUndefined();
  });

  test('what is made anew, as its end was moved, waits too for what is being deleted', () => {
    const going = make('Role', 'a', 'owner');
    going.metadata.deletionTimestamp = '2026-01-02T00:00:00Z';
    const over = '2026-01-02T00:00:00Z';
    const database = make('Database', 'a', 'orders', { owner: 'owner', expiresAt: over });
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    for (const expired of ['Dropping', 'Dropped']) {
      database.status = { atProvider: { expired, expiresAt: over } };
      database.spec.forProvider['expiresAt'] = over;
      expect(refusal(open, database, going)).toBeUndefined();
      for (const later of ['2026-03-01T00:00:00Z', undefined]) {
        database.spec.forProvider['expiresAt'] = later;
        expect(refusal(open, database, going)).toBe('Waiting');
      }
    }
    database.status = { atProvider: { expired: 'Kept', expiresAt: over } };
    expect(refusal(open, database, going)).toBeUndefined();
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

  test('a user name belongs to one namespace at all hosts, as accounts of one name share rights on databases', () => {
    const older = make('Role', 'team-a', 'app', { host: '10.%' });
    const younger = make('Role', 'team-b', 'app', { host: '127.0.0.1' }, '2026-02-01T00:00:00Z');
    expect(refusal(isolated, younger, older)).toBe('AlreadyManaged');
    expect(refusal(isolated, older, younger)).toBeUndefined();
    expect(refusal(open, younger, older)).toBeUndefined();
    const own = make('Role', 'team-a', 'app', { host: '%' }, '2026-02-01T00:00:00Z');
    expect(refusal(isolated, own, older)).toBeUndefined();
    older.spec.providerConfigRef = { kind: 'ProviderConfig', name: 'own' };
    expect(refusal(isolated, younger, older)).toBeUndefined();
  });

  test('Grants to one role know of each other, as far as they are in force', () => {
    const made = (namespace: string, name: string, spec: object) => {
      const grant = make('Grant', namespace, name, {
        role: 'orders_app',
        database: 'orders',
        privileges: ['SELECT'],
        ...spec,
      });
      grant.metadata.annotations = {
        ...grant.metadata.annotations,
        'crossplane.io/external-create-succeeded': '2026-01-01T00:00:00Z',
      };
      return grant;
    };
    const [one, two, foreign, gone, unborn] = [
      made('team-a', 'one', {}),
      made('team-a', 'two', {}),
      made('team-b', 'foreign', {}),
      made('team-a', 'gone', {}),
      make('Grant', 'team-a', 'unborn', { role: 'orders_app', database: 'orders', privileges: ['SELECT'] }),
    ];
    gone.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const inventory = {
      ...inventoryOf(isolated, database, role),
      grantsNaming: () => [one, two, foreign, gone, unborn],
    };
    expect(new Tenancy(inventory).siblings(one)).toEqual([two]);
    expect(new Tenancy({ ...inventory, policy: () => open }).siblings(one)).toEqual([two, foreign]);
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

  const fromInit = (kind: string, initProvider: Record<string, unknown>, forProvider = {}): Managed => {
    const resource = make(kind, 'team-b', 'attempt', forProvider);
    resource.spec.initProvider = initProvider;
    return resource;
  };

  test.each([
    ['NotYours', 'Database', { owner: 'orders_app' }],
    ['AdoptionNotAllowed', 'Database', { adopt: true }],
    ['PrivilegeNotAllowed', 'Database', { tablespace: 'fast' }],
    ['AttributeNotAllowed', 'Role', { privileges: { superUser: true } }],
    ['NotYours', 'Role', { memberOf: [{ role: 'orders_app' }] }],
    ['NotYours', 'Role', { onDelete: { reassignOwnedToAdmin: true } }],
  ])('what is given for creation only is held to the same: %s for %s %j', (reason, kind, initProvider) => {
    expect(refusal(isolated, fromInit(kind, initProvider), database, role)).toBe(reason);
    expect(refusal(open, fromInit(kind, initProvider), database, role)).toBeUndefined();
  });

  test('a predefined role may be joined where the platform allows it, and be nothing else', () => {
    const policy = {
      ...isolated,
      allowedGroups: new Set(['*', 'dba']),
      allowedServerPrivileges: new Set(['*', 'DBA']),
    };
    const member = (group: string) => make('Role', 'team-b', 'mine', { memberOf: [{ role: group }] });
    expect(refusal(policy, member('pg_monitor'))).toBeUndefined();
    expect(refusal(policy, member('dba'))).toBeUndefined();
    expect(refusal(policy, member('Dba'))).toBe('NotYours');
    expect(refusal(policy, member('orders_app'), role)).toBe('NotYours');
    expect(refusal(policy, make('Database', 'team-b', 'mine', { owner: 'pg_monitor' }))).toBe('NotYours');
  });

  test('a setting is allowed by its name or its prefix', () => {
    const of = (...names: string[]) => {
      const policy = { ...isolated, allowedSettings: new Set(names) };
      return new Tenancy(inventoryOf(policy)).tenant(make('Role', 'team-b', 'mine'))!;
    };
    expect(of('log_statement').maySet('LOG_statement')).toBe(true);
    expect(of('app.*').maySet('app.tenant')).toBe(true);
    expect(of('app.*').maySet('application_name')).toBe(false);
    expect(of('*').maySet('anything')).toBe(true);
    expect(of().maySet('app.tenant')).toBe(false);
  });

  test('what a resource names is its own only if the object carries its mark', () => {
    const mine = make('Role', 'team-b', 'dba');
    const tenant = new Tenancy(inventoryOf(isolated, mine)).tenant(mine)!;
    const marked = (uid: string | undefined) => ({ uid: uid ?? '', resource: 'x/y' });
    const on = { engine: 'postgres' } as ServerInfo;
    expect(tenant.made({ kind: 'Role', name: 'dba' }, marked(mine.metadata.uid), on)).toBe(true);
    expect(tenant.made({ kind: 'Role', name: 'dba' }, marked('another'), on)).toBe(false);
    expect(tenant.made({ kind: 'Role', name: 'dba' }, undefined, on)).toBe(false);
    expect(tenant.made({ kind: 'Role', name: 'other' }, marked(mine.metadata.uid), on)).toBe(false);
  });

  test('a claim through a configuration of another namespace keeps nobody from a name', () => {
    const squatter = make('Role', 'team-b', 'orders_app', {}, '2025-01-01T00:00:00Z');
    squatter.spec.providerConfigRef = { kind: 'ProviderConfig', name: 'bogus' };
    expect(refusal(isolated, role, squatter)).toBeUndefined();
    expect(refusal(open, role, squatter)).toBe('AlreadyManaged');
  });

  test('while it is deleted, a role leaves nothing to the administrator or to another namespace', () => {
    for (const onDelete of [{ reassignOwnedToAdmin: true }, { reassignOwnedTo: 'orders_app' }]) {
      const going = make('Role', 'team-b', 'mine', { onDelete });
      going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
      expect(refusal(isolated, going, role)).toBe('NotYours');
    }
  });

  test('a deletion leaves alone what is not, or no longer, its own', () => {
    const leaves = (resource: Managed, ...others: Managed[]) =>
      new Tenancy(inventoryOf(isolated, resource, ...others)).leaves(resource);
    expect(leaves(make('Grant', 'team-b', 'g', { role: 'orders_app', database: 'orders' }), database, role)).toMatch(
      /role/,
    );
    expect(leaves(make('Schema', 'team-b', 's', { database: 'orders' }), database)).toMatch(/database/);
    expect(leaves(make('Role', 'team-b', 'orders_app', {}, '2026-03-01T00:00:00Z'), role)).toMatch(/already managed/);
    const own = make('Role', 'team-b', 'mine');
    expect(leaves(make('Grant', 'team-b', 'g', { role: 'mine', database: 'gone' }), own)).toBeUndefined();
  });

  test('a resource that is being deleted is not held up by what it names', () => {
    const grant = make('Grant', 'team-b', 'g', { role: 'gone', database: 'gone', privileges: ['CONNECT'] });
    grant.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(refusal(isolated, grant)).toBeUndefined();
  });
});
