import { describe, expect, test } from 'vitest';
import { BackupScheduleKind } from '../provider/api/backup-schedule.ts';
import { CopyKind } from '../provider/api/copy.ts';
import { RestoreKind } from '../provider/api/restore.ts';
import { parse } from '../provider/api/validate.ts';
import { call, fatal, type Json, type Managed, resourcesOf, roles, xr } from './compose.fixture.ts';

const READY = { conditions: [{ type: 'Ready', status: 'True' }] };

/** Shows as composed what `shown` says, with that status. */
const seen = (spec: Json, shown: Record<string, { of?: Managed; status: Json }>, more: Json = {}): object => ({
  observed: {
    composite: { resource: xr(spec, more) },
    resources: Object.fromEntries(
      Object.entries(shown).map(([key, { of, status }]) => [
        key,
        { resource: { ...of, metadata: { ...of?.metadata, name: key }, status } },
      ]),
    ),
  },
});

const forProvider = (spec: Json, key: string, input?: Json): Json =>
  resourcesOf(call(spec, input === undefined ? {} : { input }))[key]?.spec.forProvider ?? {};

const conditionOf = (response: ReturnType<typeof call>, type: string): string => {
  const found = response.conditions.find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
};

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

describe('backups', () => {
  const backup = {
    schedule: '30 2 * * *',
    storage: 'main',
    retention: { keepDaily: 7 },
    verify: { schedule: '@weekly' },
  };

  test('are a BackupSchedule that its kind allows', () => {
    const composed = resourcesOf(call({ backup }))['backup'];
    expect(composed?.spec.forProvider).toMatchObject({
      database: 'orders',
      storage: { name: 'main' },
      retention: { keepDaily: 7 },
    });
    expect(() => parse(BackupScheduleKind, { ...composed, metadata: { name: 'x' } })).not.toThrow();
  });

  test.each<[Json, string]>([
    [{ schedule: '30 2 * * *' }, 'spec.backup.storage: is required'],
    [{ storage: 'main' }, 'spec.backup.schedule: is required'],
    [{ ...backup, schedule: 'often' }, 'spec.backup.schedule: "often" must be a cron expression'],
    [{ ...backup, retention: {} }, 'spec.backup.retention: at least one of keepLast'],
    [
      { ...backup, encryption: { recipients: ['age1abc'] } },
      'spec.backup.verify.identitySecretRef: is required when backups are encrypted',
    ],
  ])('%j is refused', (wrong, message) => {
    expect(fatal(call({ backup: wrong }))).toContain(message);
  });

  test('are spoken of in moments, never in ages', () => {
    const atProvider = {
      lastSuccessTime: '2026-01-02T02:30:00Z',
      lastBackup: { key: 'k' },
      lastVerifyTime: '2026-01-01T03:00:00Z',
      nextRunTime: '2026-01-03T02:30:00Z',
    };
    const response = call({ backup }, seen({ backup }, { backup: { status: { ...READY, atProvider } } }));
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({
      backup: { lastTime: '2026-01-02T02:30:00Z', lastKey: 'k', nextTime: '2026-01-03T02:30:00Z' },
    });
    expect(conditionOf(response, 'BackupHealthy')).toBe(
      '2 Available: the last backup was made at 2026-01-02T02:30:00Z: k',
    );
  });

  test.each<[string, Json, string]>([
    [
      'that failed',
      {
        lastSuccessTime: '2026-01-01T00:00:00Z',
        lastFailureTime: '2026-01-02T00:00:00Z',
        lastFailureMessage: 'no bucket',
      },
      '3 LastBackupFailed: the backup of 2026-01-02T00:00:00Z failed: no bucket',
    ],
    [
      'that failed before the last good one',
      { lastSuccessTime: '2026-01-02T00:00:00Z', lastFailureTime: '2026-01-01T00:00:00Z' },
      '2 Available: the last backup was made at 2026-01-02T00:00:00Z',
    ],
    [
      'whose test restore failed',
      {
        lastSuccessTime: '2026-01-02T00:00:00Z',
        lastVerifyFailureTime: '2026-01-02T00:00:00Z',
        lastVerifyFailureMessage: 'rows differ',
      },
      '3 LastVerificationFailed: the test restore of 2026-01-02T00:00:00Z failed: rows differ',
    ],
    [
      'that has not come yet',
      { nextRunTime: '2026-01-02T00:00:00Z' },
      '1 NoBackupYet: the first backup is due at 2026-01-02T00:00:00Z',
    ],
  ])('one %s', (_, atProvider, words) => {
    const response = call({ backup }, seen({ backup }, { backup: { status: { ...READY, atProvider } } }));
    expect(conditionOf(response, 'BackupHealthy')).toBe(words);
  });

  test('none are nobody’s fault', () => {
    expect(conditionOf(call(), 'BackupHealthy')).toBe('1 NotConfigured: no backups are asked for');
  });
});

describe('a database that begins with data', () => {
  const source = { copyFrom: { name: 'production', transformSQL: "UPDATE person SET name = 'x'" } };

  test('has nobody but its owner until the data is there', () => {
    const resources = resourcesOf(call({ source }));
    expect(Object.keys(resources).toSorted()).toEqual(['database', 'grant-public', 'role-owner', 'source']);
    expect(resources['source']?.spec.forProvider).toEqual({
      sourceDatabaseSelector: { matchLabels: { 'crossplane.io/composite': 'production' } },
      targetDatabase: 'orders',
      transformSQL: "UPDATE person SET name = 'x'",
      mode: 'FailIfNotEmpty',
    });
    const response = call({ source });
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Filling' });
    expect(conditionOf(response, 'RolesReady')).toContain('Creating: waiting for Role (role-owner)');
  });

  test('gets everything else once it is', () => {
    const all = Object.keys(resourcesOf(call({ schemas: [{ name: 'app' }] })));
    const filled = call(
      { source, schemas: [{ name: 'app' }] },
      seen({ source, schemas: [{ name: 'app' }] }, { source: { status: READY } }),
    );
    const resources = resourcesOf(filled);
    expect(Object.keys(resources).toSorted()).toEqual([...all, 'source'].toSorted());
    // The copy brought the schema along.
    expect(resources['schema-app']?.spec.forProvider).toMatchObject({ adopt: true });
  });

  test.each<[Json, string]>([
    [{ failureReason: 'ToolFailed', failureMessage: 'pg_dump: permission denied' }, 'pg_dump: permission denied'],
    [{ failureReason: 'JobLost' }, 'JobLost'],
  ])('that fails to come says why, and what to do: %j', (atProvider, why) => {
    const status = {
      conditions: [
        { type: 'Synced', status: 'True', reason: 'ReconcileSuccess' },
        { type: 'Ready', status: 'False', reason: 'ToolFailed' },
      ],
      atProvider: { phase: 'Failed', ...atProvider },
    };
    const response = call({ source }, seen({ source }, { source: { status } }));
    const words = `Copy source (source): failed: ${why}; delete it to have it tried again`;
    expect(conditionOf(response, 'DatabaseReady')).toBe(`3 Failing: ${words}`);
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Failing' });
  });

  test('loses nothing that was there when the run is away for a moment', () => {
    const spec = { source };
    const there = resourcesOf(call(spec, seen(spec, { source: { status: READY } })));
    const shown = Object.fromEntries(
      Object.entries(there)
        .filter(([key]) => key !== 'source')
        .map(([key, of]) => [key, { of, status: READY }]),
    );
    expect(Object.keys(resourcesOf(call(spec, seen(spec, shown)))).toSorted()).toEqual(Object.keys(there).toSorted());
  });

  test.each<[string, Json, Json]>([
    [
      'a copy',
      { copyFrom: { database: 'production', serverRef: { name: 'other' } } },
      { sourceDatabase: 'production', sourceProviderConfigRef: { kind: 'ClusterProviderConfig', name: 'other' } },
    ],
    [
      'the newest backup',
      { restoreFrom: { database: 'production', storage: 'main', verifiedOnly: true } },
      { sourceDatabase: 'production', source: { storage: { name: 'main' }, verifiedOnly: true } },
    ],
    [
      'one backup',
      { restoreFrom: { backupRef: { name: 'before-upgrade' } } },
      { source: { backupRef: { name: 'before-upgrade' }, verifiedOnly: false } },
    ],
  ])('comes from %s, as the kind allows', (_, from, expected) => {
    const composed = resourcesOf(call({ source: from }))['source'];
    expect(composed?.spec.forProvider).toMatchObject(expected);
    expect(() =>
      parse(composed?.kind === 'Copy' ? CopyKind : RestoreKind, { ...composed, metadata: { name: 'x' } }),
    ).not.toThrow();
  });

  test('from the database of a claim is found by the labels of claims', () => {
    const claim = { source, claimRef: { name: 'preview', namespace: 'team-b' } };
    expect(forProvider(claim, 'source')['sourceDatabaseSelector']).toEqual({
      matchLabels: { 'crossplane.io/claim-name': 'production', 'crossplane.io/claim-namespace': 'team-b' },
    });
  });

  test.each<[Json, string]>([
    [{}, 'spec.source: exactly one of copyFrom and restoreFrom is required'],
    [{ copyFrom: {} }, 'spec.source.copyFrom: exactly one of name and database is required'],
    [{ copyFrom: { name: 'orders' } }, 'spec.source.copyFrom.name: is this claim itself'],
    [{ copyFrom: { database: 'orders' } }, 'spec.source.copyFrom.database: is the database itself'],
    [{ restoreFrom: { name: 'a' } }, 'spec.source.restoreFrom.storage: is required'],
    [{ restoreFrom: { backupRef: { name: 'a' }, storage: 'm' } }, 'spec.source.restoreFrom: storage and before choose'],
  ])('%j is refused', (wrong, message) => {
    expect(fatal(call({ source: wrong }))).toContain(message);
  });
});

describe('a claim with an end', () => {
  const spec = { expiresAfter: '72h', schemas: [{ name: 'app' }] };
  const made = { metadata: { name: 'orders', namespace: 'team-a', creationTimestamp: '2026-01-01T00:00:00Z' } };
  const end = '2026-01-04T00:00:00Z';
  const at = (atProvider: Json, own: Json = spec) =>
    call(own, seen(own, { database: { status: { ...READY, atProvider } } }, made));
  const keys = (response: ReturnType<typeof call>) => Object.keys(resourcesOf(response)).toSorted();

  test('counts from when it was made, and says when it ends', () => {
    const response = call(spec, seen(spec, {}, made));
    expect(resourcesOf(response)['database']?.spec.forProvider).toMatchObject({ expiresAt: end });
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ expiresAt: end, phase: 'Creating' });
  });

  test('ends when the provider says that this very time is over, and not by any other word', () => {
    const whole = keys(at({}));
    expect(whole).toContain('role-login-app');
    expect(keys(at({ expired: 'Dropped' }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: '2026-01-03T00:00:00Z' }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: end }, { schemas: spec.schemas }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: end }))).toEqual(['database']);
  });

  test('keeps what is inside of a database that is kept, and lets nobody in', () => {
    const ended = at({ expired: 'Kept', expiresAt: end });
    expect(keys(ended)).toEqual(['database', 'grant-public', 'role-owner', 'schema-app']);
    expect(ended.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Expired', waitingFor: [] });
    expect(conditionOf(ended, 'RolesReady')).toBe(`3 Expired: its time was over at ${end}`);
  });

  test('comes back whole when the end is moved', () => {
    const later = { ...spec, expiresAfter: '96h' };
    expect(keys(at({ expired: 'Kept', expiresAt: end }, later))).toEqual(keys(at({})));
  });

  test.each(['0s', '1s', '9999999h'])('after %s is refused', (expiresAfter) => {
    expect(fatal(call({ expiresAfter }))).toContain(`spec.expiresAfter: ${expiresAfter} is out of range`);
  });
});
