import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { convert } from './convert.ts';
import { brief, files, plain, read, refusals } from './convert.fixture.ts';

test('there are all 24 scenarios', () => {
  expect(files.map((name) => name.split('-')[0])).toEqual([
    ...Array.from({ length: 7 }, (_, i) => `cr${i + 1}`),
    ...Array.from({ length: 8 }, (_, i) => `my${i + 1}`),
    ...Array.from({ length: 9 }, (_, i) => `pg${i + 1}`),
  ]);
});

describe.each(files)('%s', (name) => {
  test('becomes what an API server takes, and nothing of it is lost', () => {
    for (const adopt of [false, true]) {
      const converted = convert(read(name), { ...plain, adopt });
      expect(refusals(converted)).toEqual([]);
      expect(converted.notes.filter(({ isLost }) => isLost)).toEqual([]);
    }
  });

  test('keeps every name, in Kubernetes and on the server', () => {
    const input = read(name);
    const { objects } = convert(input, plain);
    const external = (object: KubeObject | undefined) => object?.metadata.annotations?.['crossplane.io/external-name'];
    for (const [from, to, field] of [
      ['Db', 'Database', 'db_name'],
      ['User', 'Role', 'user_name'],
      ['Schema', 'Schema', 'name'],
    ] as const)
      for (const old of input.filter(({ kind }) => kind === from)) {
        const made = objects.find(({ kind, metadata }) => kind === to && metadata.name === old.metadata.name);
        expect(external(made)).toBe((old['spec'] as Record<string, string>)[field]);
      }
  });

  test('holds no password that it did not hold before', () => {
    const { objects, notes } = convert(read(name), plain);
    const told = JSON.stringify([objects.filter(({ kind }) => kind !== 'Secret'), notes]);
    for (const secret of ['postgresqlPassword', 'mysqlPassword', 'MYSECRET', 'migrationpw'])
      expect(told).not.toContain(secret);
  });
});

describe('the three roles of PG9', () => {
  const converted = brief(convert(read('pg9-privileges.yaml'), plain));

  test('have their grants by their grantors, and one of them what is to come', () => {
    expect(converted['DefaultPrivileges application-user-example-db']).toEqual({
      databaseRef: { name: 'example-db' },
      targetRoleRef: { name: 'migration-user' },
      roleRef: { name: 'application-user' },
      objectType: 'table',
      privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    });
    expect(converted['Grant human-user-example-db-app1-all']).toEqual({
      privileges: ['SELECT'],
      roleRef: { name: 'human-user' },
      databaseRef: { name: 'example-db' },
      schema: 'app1',
      tables: ['*'],
      grantorRef: { name: 'migration-user' },
    });
  });

  test('find public closed to everybody, by a grant instead of SQL that never ran', () => {
    expect(converted['Database example-db']).toEqual({ dropPolicy: 'Always' });
    expect(converted['Grant example-db-public']).toMatchObject({
      role: 'PUBLIC',
      schema: 'public',
      privileges: [],
      exclusive: true,
    });
  });
});

test('MY8 has a global and a table grant', () => {
  const converted = brief(convert(read('my8-privileges.yaml'), plain));
  expect(converted['Grant example-user-server']).toEqual({
    privileges: ['SELECT'],
    roleRef: { name: 'example-user' },
    system: true,
  });
  expect(converted['Grant example-user-example-db-sometable']).toMatchObject({
    tables: ['SomeTable'],
    privileges: ['SELECT'],
  });
});

test('CR7 on a server of another namespace has a shared configuration, for exactly those who use it', () => {
  const { objects } = convert(read('cr7-privileges-global-dbserver.yaml'), plain);
  const config = objects.find(({ kind }) => kind === 'ClusterProviderConfig');
  expect(config?.['spec']).toMatchObject({
    credentials: { source: 'None', username: 'root' },
    tls: { mode: 'verify-ca', clientCertSecretRef: { namespace: 'default', certKey: 'tls.crt', keyKey: 'tls.key' } },
    allowedNamespaces: { names: ['default', 'scenario'] },
  });
  for (const object of objects.filter(({ kind }) => kind !== 'Secret' && kind !== 'ClusterProviderConfig'))
    expect(object['spec']).toMatchObject({
      providerConfigRef: { kind: 'ClusterProviderConfig', name: config?.metadata.name },
    });
});

test('an access key keeps its place, and its ID joins it in the Secret', () => {
  const { objects } = convert(read('pg4-backup-cron-job.yaml'), plain);
  expect(objects.find(({ metadata }) => metadata.name === 's3-secret')?.['stringData']).toEqual({
    SECRET_ACCESS_KEY: 'MYSECRET',
    AWS_ACCESS_KEY_ID: 'MYKEY',
  });
  expect(brief({ objects, notes: [] })['BackupSchedule example-backup-cron-job']).toEqual({
    databaseRef: { name: 'example-db' },
    schedule: '0 0 30 2 *',
    suspend: false,
    storage: {
      s3: {
        bucket: 'testbucket',
        region: 'eu-west-1',
        endpoint: 'http://minio.default.svc.cluster.local:9000',
        prefix: 'postgres/',
        credentialsSecretRef: { name: 's3-secret', secretAccessKeyKey: 'SECRET_ACCESS_KEY' },
      },
    },
  });
});

test('every backup of a schedule of CockroachDB is a full one, as it was', () => {
  expect(
    brief(convert(read('cr5-backup-cron-job.yaml'), plain))['BackupSchedule example-backup-cron-job'],
  ).toMatchObject({
    schedule: '0 0 * * *',
    cockroachdb: { fullBackup: 'Always' },
  });
});

describe('what a running installation needs', () => {
  test('is taken over, with the passwords that it has', () => {
    const { objects } = convert(read('cr2-generate-secret.yaml'), { ...plain, adopt: true });
    const role = objects.find(({ kind }) => kind === 'Role');
    expect(role?.['spec']).toMatchObject({
      forProvider: { adopt: true, passwordSecretRef: { name: 'generated-secret', key: 'password' } },
      writeConnectionSecretToRef: { name: 'generated-secret-connection' },
    });
  });
});
