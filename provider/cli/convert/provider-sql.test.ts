import { describe, expect, test } from 'vitest';
import { parseManifests } from '../../local/manifests.ts';
import { convert } from './convert.ts';
import { brief, plain, refusals } from './convert.fixture.ts';

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
