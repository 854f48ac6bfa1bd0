import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { kinds } from '../../api/registry.ts';
import { parse } from '../../api/validate.ts';
import { parseManifests } from '../../local/manifests.ts';
import { convert, type Converted } from './convert.ts';

const SCENARIOS = join(import.meta.dirname, '../../../test/scenarios');

const read = (name: string): KubeObject[] => parseManifests(readFileSync(join(SCENARIOS, name), 'utf8'), name);
const plain = { adopt: false, namespace: 'default' };

/** What an API server would refuse. */
function refusals({ objects }: Converted): string[] {
  return objects.flatMap((object) => {
    const kind = kinds.find((one) => one.kind === object.kind && object.apiVersion === `${one.group}/${one.version}`);
    if (kind === undefined) return object.kind === 'Secret' ? [] : [`${object.kind} is none of ours`];
    try {
      parse(kind, object);
      return [];
    } catch (error) {
      return [`${object.kind} ${object.metadata.name}: ${String(error)}`];
    }
  });
}

/** In short: kind, name, name on the server, and what it should be. */
const brief = ({ objects }: Converted): Record<string, unknown> =>
  Object.fromEntries(
    objects
      .filter(({ kind }) => kind !== 'Secret')
      .map((object) => {
        const spec = object['spec'] as { forProvider?: object };
        return [`${object.kind} ${object.metadata.name}`, spec.forProvider ?? spec];
      }),
  );

const files = readdirSync(SCENARIOS).toSorted();

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

describe('what had no meaning before', () => {
  const old = (kind: string, name: string, spec: object): KubeObject => ({
    apiVersion: 'db-operator.kubemaster.com/v1alpha1',
    kind,
    metadata: { name, namespace: 'a' },
    spec,
  });
  const server = old('DbServer', 's', {
    address: 'h',
    port: 5432,
    user_name: 'u',
    secret_name: 'x',
    server_type: 'Postgres',
  });
  const user = (spec: object) =>
    old('User', 'u', {
      user_name: 'u',
      secret_name: 'x',
      db_server_name: 's',
      server_privs: '',
      db_privs: [],
      ...spec,
    });

  test.each([
    [
      [
        user({
          db_privs: [
            { scope: 'd', privs: '/t:select', priv_type: 'database' },
            { scope: 'd.t', default_privs: 'SELECT' },
          ],
        }),
        server,
      ],
      'db_privs with scope "d.t"',
    ],
    [
      [user({ db_privs: [{ scope: 'd', privs: 'SELECT', priv_type: 'defaultTable' }] }), server],
      'need grantor_user_name',
    ],
    [[user({ server_privs: 'INVALIDPARAM,LOGIN,' }), server], 'server_privs INVALIDPARAM'],
    [[user({})], 'its DbServer "s" is not in the files'],
    [[old('BackupJob', 'b', { backup_target: 't' })], 'its BackupTarget "t" is not in the files'],
    [[old('DbServer', 's', { server_type: 'oracle' })], 'server_type "oracle"'],
  ])('%# is named', (objects, message) => {
    const { notes } = convert(objects, plain);
    expect(
      notes
        .filter(({ isLost }) => isLost)
        .map((note) => note.message)
        .join(),
    ).toContain(message);
  });

  test('columns, grant options and routines of MySQL have one', () => {
    const mysql = old('DbServer', 's', {
      address: 'h',
      port: 3306,
      user_name: 'u',
      secret_name: 'x',
      server_type: 'mysql',
    });
    const grants = brief(
      convert(
        [
          mysql,
          user({
            db_privs: [
              { scope: 'mydb.*', privs: 'INSERT,UPDATE,GRANT' },
              { scope: 'other.t', privs: 'SELECT(col1,col2),DELETE' },
              { scope: 'FUNCTION my_db.my_function', privs: 'EXECUTE' },
            ],
          }),
        ],
        plain,
      ),
    );
    expect(grants).toMatchObject({
      'Grant u-mydb': { database: 'mydb', privileges: ['INSERT', 'UPDATE'], withOption: true },
      'Grant u-other-t': { tables: ['t'], privileges: ['DELETE'] },
      'Grant u-other-t-col1-col2': { tables: ['t'], columns: ['col1', 'col2'], privileges: ['SELECT'] },
      'Grant u-my-db-my-function': { database: 'my_db', routines: [{ name: 'my_function' }] },
    });
  });

  test('tables named in the short form have one', () => {
    const grants = brief(
      convert([server, user({ db_privs: [{ scope: 'd', privs: 'a:select,insert,b:select' }] })], plain),
    );
    expect(grants).toMatchObject({
      'Grant u-d-public-a': { schema: 'public', tables: ['a'], privileges: ['SELECT', 'INSERT'] },
      'Grant u-d-public-b': { tables: ['b'], privileges: ['SELECT'] },
    });
  });
});

describe('provider-sql', () => {
  const input = parseManifests(
    `
apiVersion: postgresql.sql.crossplane.io/v1alpha1
kind: ProviderConfig
metadata: { name: pg }
spec:
  credentials: { source: PostgreSQLConnectionSecret, connectionSecretRef: { namespace: platform, name: pg } }
  sslMode: require
---
apiVersion: postgresql.sql.crossplane.io/v1alpha1
kind: Database
metadata: { name: orders, annotations: { crossplane.io/external-name: orders_db } }
spec:
  forProvider: { ownerRef: { name: owner }, lcCollate: C, connectionLimit: 5 }
  providerConfigRef: { name: pg }
  deletionPolicy: Orphan
---
apiVersion: postgresql.sql.crossplane.io/v1alpha1
kind: Role
metadata: { name: owner }
spec:
  forProvider: { privileges: { login: true, createDb: false }, passwordSecretRef: { namespace: default, name: p, key: pw } }
  providerConfigRef: { name: pg }
  writeConnectionSecretToRef: { namespace: default, name: owner-conn }
---
apiVersion: postgresql.sql.crossplane.io/v1alpha1
kind: Grant
metadata: { name: tables }
spec:
  forProvider: { privileges: [ALL], withOption: GRANT, roleRef: { name: owner }, databaseRef: { name: orders }, schema: s, tables: [a] }
  providerConfigRef: { name: pg }
---
apiVersion: postgresql.sql.crossplane.io/v1alpha1
kind: Grant
metadata: { name: closed }
spec:
  forProvider: { privileges: [CONNECT], roleRef: { name: owner }, database: orders_db, revokePublicOnDb: true }
  providerConfigRef: { name: pg }
---
apiVersion: postgresql.sql.m.crossplane.io/v1alpha1
kind: Schema
metadata: { name: s, namespace: team }
spec:
  forProvider: { role: owner, database: orders_db, dropBehavior: CASCADE, revokePublicOnSchema: true }
  providerConfigRef: { kind: ProviderConfig, name: own }
---
apiVersion: postgresql.sql.m.crossplane.io/v1alpha1
kind: DefaultPrivileges
metadata: { name: d, namespace: team }
spec:
  forProvider: { targetRole: owner, role: app, database: orders_db, schema: s, objectType: table, privileges: [SELECT] }
  providerConfigRef: { kind: ClusterProviderConfig, name: pg }
---
apiVersion: postgresql.sql.m.crossplane.io/v1alpha1
kind: Extension
metadata: { name: e, namespace: team }
spec:
  forProvider: { extension: hstore, database: orders_db, version: "1.8" }
  providerConfigRef: { kind: ClusterProviderConfig, name: pg }
---
apiVersion: mysql.sql.m.crossplane.io/v1alpha1
kind: User
metadata: { name: u, namespace: team, annotations: { crossplane.io/external-name: "app@odd@10.%" } }
spec:
  forProvider: { resourceOptions: { maxUserConnections: 3 } }
  providerConfigRef: { kind: ProviderConfig, name: my }
---
apiVersion: mysql.sql.m.crossplane.io/v1alpha1
kind: Grant
metadata: { name: g, namespace: team }
spec:
  forProvider: { privileges: [SELECT, GRANT OPTION], userRef: { name: u }, database: orders, table: t }
  providerConfigRef: { kind: ProviderConfig, name: my }
---
apiVersion: mysql.sql.m.crossplane.io/v1alpha1
kind: Database
metadata: { name: m, namespace: team }
spec:
  forProvider: { defaultCharacterSet: utf8mb4 }
  providerConfigRef: { kind: ProviderConfig, name: my }
---
apiVersion: mysql.sql.m.crossplane.io/v1alpha1
kind: ProviderConfig
metadata: { name: my, namespace: team }
spec:
  credentials: { source: MySQLConnectionSecret, connectionSecretRef: { name: my } }
  tls: preferred
`,
    'provider-sql.yaml',
  );
  const converted = convert(input, plain);

  test('becomes what an API server takes, and nothing of it is lost', () => {
    expect(refusals(converted)).toEqual([]);
    expect(converted.notes.filter(({ isLost }) => isLost)).toEqual([]);
  });

  test('keeps names and meaning', () => {
    expect(brief(converted)).toMatchObject({
      'Database orders': { ownerRef: { name: 'owner' }, collation: 'C', connectionLimit: 5, dropPolicy: 'Always' },
      'Role owner': { privileges: { login: true, createDb: false }, passwordSecretRef: { name: 'p', key: 'pw' } },
      'Grant tables': { privileges: ['ALL'], withOption: true, tables: ['a'] },
      'Grant closed-public': { role: 'PUBLIC', database: 'orders_db', privileges: [], exclusive: true },
      'Schema s': { owner: 'owner', dropPolicy: 'Always', revokePublicOnSchema: true },
      'Role u': { host: '10.%' },
      'Grant g': {
        privileges: ['SELECT'],
        withOption: true,
        roleRef: { name: 'u' },
        database: 'orders',
        tables: ['t'],
      },
      'ClusterProviderConfig pg': {
        engine: 'postgres',
        tls: { mode: 'require' },
        allowedNamespaces: { names: ['default'] },
      },
    });
    const orders = converted.objects.find(({ kind, metadata }) => kind === 'Database' && metadata.name === 'orders');
    expect(orders?.metadata.annotations).toEqual({ 'crossplane.io/external-name': 'orders_db' });
    expect(orders?.['spec']).toMatchObject({ managementPolicies: ['Observe', 'Create', 'Update', 'LateInitialize'] });
  });

  test('what leaves the namespace is named', () => {
    const [, , role] = structuredClone(input);
    const moved = convert([{ ...role!, metadata: { ...role!.metadata, namespace: 'team' } }], plain);
    expect(moved.notes.filter(({ isLost }) => isLost).map(({ message }) => message)).toEqual([
      expect.stringContaining('forProvider.passwordSecretRef: the Secret has to be in the namespace of the Role'),
      expect.stringContaining('its connection Secret was in "default"'),
    ]);
  });
});
