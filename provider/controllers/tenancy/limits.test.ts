import { describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { Tenancy } from './tenancy.ts';
import { inventoryOf, isolated, make, open, refusal } from './tenancy.fixture.ts';

describe('on an isolated server', () => {
  const database = make('Database', 'team-a', 'orders');
  const role = make('Role', 'team-a', 'orders_app');

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
});
