import { describe, expect, test } from 'vitest';
import { call, fatal, forProvider, type Json, resourcesOf, roles } from './compose.fixture.ts';

describe('the groups of a claim', () => {
  test('hold the privileges, so that one more login is one more resource, whatever the number of schemas', () => {
    const schemas = ['a', 'b', 'c'].map((name) => ({ name }));
    const few = Object.keys(resourcesOf(call({ schemas })));
    const many = Object.keys(resourcesOf(call({ schemas, roles: [...roles, { name: 'web', access: 'readWrite' }] })));
    expect(many.filter((key) => !few.includes(key))).toEqual(['role-login-web']);
    expect(forProvider({}, 'role-login-app')['memberOf']).toEqual([{ role: 'orders_writers' }]);
    expect(forProvider({}, 'role-login-report')['memberOf']).toEqual([{ role: 'orders_readers' }]);
  });

  test('are not made for nobody', () => {
    const keys = Object.keys(resourcesOf(call({ roles: [{ name: 'm', access: 'owner' }] })));
    expect(keys.filter((key) => key.includes('group'))).toEqual([]);
  });

  test('keep their names', () => {
    expect(fatal(call({ roles: [{ name: 'readers', access: 'readOnly' }] }))).toContain(
      'spec.roles[0].name: "orders_readers" is also the name of the group of those who read',
    );
  });
});

describe('grants of a role', () => {
  const grants = [
    { name: 'audit', privileges: ['INSERT'], schema: 'app', tables: ['audit_log'] },
    { name: 'pay', privileges: ['EXECUTE'], schema: 'app', routines: ['charge'] },
    { name: 'temp', privileges: ['TEMPORARY'] },
  ];
  const withGrants = { roles: [{ name: 'job', access: 'none', grants }] };

  test('are one resource each, and a role without access may connect', () => {
    const resources = resourcesOf(call(withGrants));
    const own = Object.entries(resources).filter(([key]) => key.startsWith('grant-job'));
    expect(Object.fromEntries(own.map(([key, { spec }]) => [key, spec.forProvider['privileges']]))).toEqual({
      'grant-job-database': ['CONNECT'],
      'grant-job-custom-audit-in-app': ['INSERT'],
      'grant-job-custom-pay-in-app': ['EXECUTE'],
      'grant-job-custom-temp-in-database': ['TEMPORARY'],
    });
    expect(resources['grant-job-custom-pay-in-app']?.spec.forProvider).toMatchObject({
      role: 'orders_job',
      database: 'orders',
      routines: [{ name: 'charge' }],
    });
  });

  test.each<[Json, string]>([
    [{ name: 'a', privileges: ['SELECT'], tables: ['t'] }, '.schema: is required with tables'],
    [{ name: 'a', privileges: ['SELECT'], schema: 's', tables: ['t'], sequences: ['q'] }, ': one of tables, sequences'],
    [{ name: 'a', privileges: ['SELECT; DROP'] }, '.privileges[0]: "SELECT; DROP" must be a privilege'],
    [{ name: 'a', privileges: [] }, '.privileges: has 0 items'],
    [{ name: 'a', privileges: ['SELECT'], schema: 's', tables: ['t', 'u'], columns: ['c'] }, ': columns needs exactly'],
  ])('%j is refused', (grant, message) => {
    expect(fatal(call({ roles: [{ name: 'job', access: 'none', grants: [grant] }] }))).toContain(
      `spec.roles[0].grants[0]${message}`,
    );
  });
});

describe('passwords', () => {
  test('are rotated as the role says, or else the claim', () => {
    const rotated = {
      passwordRotation: { every: '720h' },
      roles: [...roles, { name: 'x', access: 'none', passwordRotation: { trigger: '2' } }],
    };
    expect(forProvider(rotated, 'role-login-app')['passwordRotation']).toEqual({ every: '720h' });
    expect(forProvider(rotated, 'role-login-x')['passwordRotation']).toEqual({ trigger: '2' });
  });

  test.each(['0s', '1ms', '59s'])('are not replaced at each look: %s is refused', (every) => {
    const message = (path: string) => `${path}.every: ${every} is out of range; allowed: 1m or more`;
    expect(fatal(call({ passwordRotation: { every } }))).toBe(message('spec.passwordRotation'));
    const role = { name: 'x', access: 'none', passwordRotation: { every } };
    expect(fatal(call({ roles: [role] }))).toBe(message('spec.roles[0].passwordRotation'));
  });

  test('that are given cannot be rotated', () => {
    const role = { name: 'x', access: 'none', passwordSecretRef: { name: 's' }, passwordRotation: { trigger: '1' } };
    expect(fatal(call({ roles: [role] }))).toBe(
      'spec.roles[0].passwordRotation: is for generated passwords: it cannot be used with passwordSecretRef',
    );
  });

  test('that are given are not', () => {
    const given = {
      passwordRotation: { every: '720h' },
      roles: [{ name: 'x', access: 'none', passwordSecretRef: { name: 's' } }],
    };
    expect(forProvider(given, 'role-login-x')).toMatchObject({ passwordSecretRef: { name: 's', key: 'password' } });
    expect(forProvider(given, 'role-login-x')).not.toHaveProperty('passwordRotation');
  });
});

describe('a suspended claim', () => {
  test('shuts out its logins and keeps everything else', () => {
    const before = resourcesOf(call());
    const after = resourcesOf(call({ suspended: true }));
    expect(Object.keys(after)).toEqual(Object.keys(before));
    expect(after['role-login-app']?.spec.forProvider).toMatchObject({ privileges: { login: false } });
    expect(after['database']).toEqual(before['database']);
    expect(forProvider({ engine: 'mysql', suspended: true }, 'role-login-app')).toMatchObject({ accountLocked: true });
    expect(forProvider({ engine: 'mysql' }, 'role-login-app')).toMatchObject({ accountLocked: false });
  });
});

test('deletionPolicy Orphan leaves everything on the server', () => {
  for (const { spec } of Object.values(resourcesOf(call({ deletionPolicy: 'Orphan' }))))
    expect((spec as unknown as Json)['managementPolicies']).toEqual(['Observe', 'Create', 'Update', 'LateInitialize']);
  for (const { spec } of Object.values(resourcesOf(call()))) expect(spec).not.toHaveProperty('managementPolicies');
});
