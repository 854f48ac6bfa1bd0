import { describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { Tenancy } from './tenancy.ts';
import { inventoryOf, isolated, make, open, refusal } from './tenancy.fixture.ts';

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
      naming: () => [one, two, foreign, gone, unborn],
    };
    expect(new Tenancy(inventory).siblings(one)).toEqual([two]);
    expect(new Tenancy({ ...inventory, policy: () => open }).siblings(one)).toEqual([two, foreign]);
  });

  test('a younger resource of another namespace does not make the name its own', () => {
    const thief = make('Role', 'team-b', 'orders_app', {}, '2026-02-01T00:00:00Z');
    const grant = make('Grant', 'team-b', 'g', { role: 'orders_app', memberOf: 'orders_app' });
    expect(refusal(isolated, grant, role, thief)).toBe('NotYours');
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
