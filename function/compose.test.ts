import { RunFunctionRequest, type RunFunctionResponse } from '@crossplane-org/function-sdk-typescript';
import { describe, expect, test } from 'vitest';
import { ENGINES } from '../provider/api/engines.ts';
import { kinds } from '../provider/api/registry.ts';
import { parse } from '../provider/api/validate.ts';
import { call, fatal, type Json, request, resourcesOf, roles, xr } from './compose.fixture.ts';
import { compose } from './compose.ts';

function refusals(response: RunFunctionResponse): string[] {
  return Object.entries(resourcesOf(response)).flatMap(([key, resource]) => {
    const kind = kinds.find((one) => one.kind === resource.kind);
    if (kind === undefined) return [];
    try {
      parse(kind, { ...resource, metadata: { ...resource.metadata, name: 'given-by-crossplane' } });
      return [];
    } catch (error) {
      return [`${key}: ${String(error)}`];
    }
  });
}

describe('what is composed', () => {
  test.each(ENGINES)('on %s is what the kinds allow', (engine) => {
    const hasSchemas = engine === 'postgres' || engine === 'cockroachdb';
    const all = [...roles, { name: 'limited', access: 'readOnly', connectionLimit: 3, username: 'Some "one"' }];
    const extra = hasSchemas ? { schemas: [{ name: 'app' }, { name: 'public' }] } : {};
    const extensions = engine === 'postgres' ? { extensions: [{ name: 'pgcrypto', schema: 'app' }] } : {};
    expect(refusals(call({ engine, roles: all, ...extra, ...extensions }))).toEqual([]);
  });

  test('has the names of the server as external names, and is in the namespace of the composite', () => {
    const resources = resourcesOf(call({ schemas: [{ name: 'app' }] }));
    const external = (key: string) => resources[key]?.metadata.annotations?.['crossplane.io/external-name'];
    expect(external('database')).toBe('orders');
    expect(external('schema-app')).toBe('app');
    expect(external('role-owner')).toBe('orders_owner');
    expect(external('role-login-migrate')).toBe('orders_migrate');
    for (const { metadata, spec } of Object.values(resources)) {
      expect(metadata.namespace).toBe('team-a');
      expect(metadata.name).toBeUndefined();
      expect(spec.providerConfigRef).toEqual({ kind: 'ClusterProviderConfig', name: 'shared' });
    }
  });

  test('gives an owner login the group from its first statement, so that all owners own the same', () => {
    const { spec } = resourcesOf(call())['role-login-migrate'] ?? { spec: { forProvider: {} } };
    expect(spec.forProvider).toMatchObject({
      memberOf: [{ role: 'orders_owner' }],
      configurationParameters: [{ name: 'role', value: 'orders_owner' }],
    });
  });

  test('never drops the schema public, which was there before', () => {
    const resources = resourcesOf(call({ schemas: [{ name: 'public' }], dropPolicy: 'Always' }));
    expect(resources['schema-public']?.spec.forProvider).toMatchObject({ adopt: true, dropPolicy: 'Never' });
    expect(resources['database']?.spec.forProvider).toMatchObject({ adopt: false, dropPolicy: 'Always' });
  });

  test('a login sees objects to come of every creator', () => {
    const found = Object.values(resourcesOf(call()))
      .filter(({ kind }) => kind === 'DefaultPrivileges')
      .map(({ spec: { forProvider } }) =>
        [forProvider['targetRole'], forProvider['role'], forProvider['objectType']].join(),
      );
    // Owner logins act as the group from the start, so the group is the only creator.
    expect(found.toSorted()).toEqual([
      'orders_owner,orders_readers,sequence',
      'orders_owner,orders_readers,table',
      'orders_owner,orders_writers,sequence',
      'orders_owner,orders_writers,table',
    ]);
  });

  test('keys depend on names, never on the order of a list', () => {
    const forward = resourcesOf(call({ schemas: [{ name: 'a' }, { name: 'b' }] }));
    const backward = resourcesOf(call({ roles: roles.toReversed(), schemas: [{ name: 'b' }, { name: 'a' }] }));
    expect(backward).toEqual(forward);
  });

  test('a claim puts it in the namespace of the claim, under the name of the claim', () => {
    const composite = xr(
      { claimRef: { name: 'orders-db', namespace: 'team-b' } },
      { metadata: { name: 'orders-db-x1' } },
    );
    const resources = resourcesOf(compose(request({ observed: { composite: { resource: composite } } })));
    expect(resources['database']?.metadata).toEqual({
      namespace: 'team-b',
      annotations: { 'crossplane.io/external-name': 'orders_db' },
    });
    expect(resources['role-login-app']?.spec.writeConnectionSecretToRef).toEqual({ name: 'orders-db-app' });
  });

  test('a class chooses server and engine', () => {
    const classes = [{ name: 'small', engine: 'mysql', serverRef: { kind: 'ProviderConfig', name: 'my' } }];
    const response = call({ serverRef: undefined, class: 'small' }, { input: { classes } });
    expect(resourcesOf(response)['database']?.spec.providerConfigRef).toEqual({ kind: 'ProviderConfig', name: 'my' });
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ engine: 'mysql' });
  });
});

describe('on CockroachDB', () => {
  test('SQL runs once in the new database, and backups have what the server itself has for them', () => {
    const cockroachdb = { passphraseSecretRef: { name: 'key' }, fullBackup: 'Always' };
    const resources = resourcesOf(
      call({
        engine: 'cockroachdb',
        database: { initSQL: 'CREATE TABLE t (id int)' },
        backup: { schedule: '0 3 * * *', storage: 'main', cockroachdb },
      }),
    );
    expect(resources['database']?.spec.forProvider).toMatchObject({ initSQL: 'CREATE TABLE t (id int)' });
    expect(resources['backup']?.spec.forProvider).toMatchObject({ cockroachdb });
  });

  test('data comes from an encrypted backup', () => {
    const cockroachdb = { kmsUri: 'external://key' };
    const source = { restoreFrom: { database: 'other', storage: 'main', cockroachdb } };
    const resources = resourcesOf(call({ engine: 'cockroachdb', source }));
    expect(resources['source']?.spec.forProvider).toMatchObject({ cockroachdb });
  });
});

describe('what is refused', () => {
  const long = 'x'.repeat(60);
  const nightly = { schedule: '0 3 * * *', storage: 'main' };
  test.each<[Json, string]>([
    [{ serverRef: undefined }, 'spec.serverRef: serverRef or class is required'],
    [{ class: 'a' }, 'spec.class: cannot be combined with serverRef'],
    [{ engine: 'oracle' }, 'spec.engine: "oracle" is not allowed; allowed: postgres, mysql, mariadb, cockroachdb'],
    [{ colour: 'blue' }, 'spec.colour: is not a field; allowed: '],
    [{ roles: [{ name: 'App', access: 'owner' }] }, 'spec.roles[0].name: "App" must be lower-case letters'],
    [{ roles: [{ name: 'a', access: 'admin' }] }, 'spec.roles[0].access: "admin" is not allowed; allowed: owner'],
    [{ roles: [roles[0], roles[0]] }, 'spec.roles[1]: {"name":"migrate","access":"owner"} is there twice'],
    [
      { roles: [{ name: 'owner', access: 'owner' }] },
      'spec.roles[0].name: "orders_owner" is also the name of the group',
    ],
    [{ roles: [{ name: 'a', access: 'owner', username: 'pg_x' }] }, 'spec.roles[0].username: "pg_x" begins with pg_'],
    [{ roles: [{ name: 'a', access: 'owner', username: 'postgres' }] }, 'spec.roles[0].username: "postgres" belongs'],
    [{ databaseName: long }, `spec.databaseName: "${long}_owner" has 66 bytes; allowed: 63`],
    [{ databaseName: 'é'.repeat(40) }, 'has 80 bytes; allowed: 63'],
    [{ databaseName: 'template1' }, 'spec.databaseName: "template1" belongs to the server itself'],
    [{ schemas: [{ name: 'pg_toast' }] }, 'spec.schemas[0].name: "pg_toast" belongs to the server itself'],
    [{ engine: 'mysql', schemas: [{ name: 'a' }] }, 'spec.schemas: are not known to mysql'],
    [{ engine: 'mariadb', extensions: [{ name: 'a' }] }, 'spec.extensions: are not known to mariadb'],
    [{ engine: 'cockroachdb', extensions: [{ name: 'a' }] }, 'spec.extensions: are not known to cockroachdb'],
    [{ engine: 'cockroachdb', database: { encoding: 'UTF8' } }, 'spec.database.encoding: is not known to cockroachdb'],
    [{ engine: 'mysql', database: { locale: 'de' } }, 'spec.database.locale: is not known to mysql'],
    [
      { engine: 'cockroachdb', backup: { ...nightly, retention: { keepLast: 3 } } },
      'spec.backup.retention: is not known to cockroachdb: let a lifecycle rule of the bucket remove old backups',
    ],
    [
      { engine: 'cockroachdb', backup: { ...nightly, timeZone: 'Europe/Amsterdam' } },
      'spec.backup.timeZone: is not known to cockroachdb: write the schedule in UTC',
    ],
    [{ backup: { ...nightly, cockroachdb: {} } }, 'spec.backup.cockroachdb: is not known to postgres'],
    [
      { engine: 'cockroachdb', source: { copyFrom: { name: 'other' } } },
      'spec.source.copyFrom: is not known to cockroachdb: use restoreFrom',
    ],
    [
      { engine: 'cockroachdb', source: { restoreFrom: { name: 'other', storage: 'main', verifiedOnly: true } } },
      'spec.source.restoreFrom.verifiedOnly: is not known to cockroachdb',
    ],
    [{ engine: 'mysql', database: { connectionLimit: 1 } }, 'spec.database.connectionLimit: is not known to mysql'],
    [{ writeConnectionSecretToRef: { name: 'orders-app' } }, '"orders-app" is the Secret of role app'],
    [
      { roles: [], writeConnectionSecretToRef: { name: 'a' } },
      'spec.writeConnectionSecretToRef: needs at least one role',
    ],
  ])('%j', (spec, message) => {
    const response = call(spec);
    expect(fatal(response)).toContain(message);
    expect(response.desired?.resources ?? {}).toEqual({});
    expect(response.conditions.map(({ type }) => type)).toEqual(['Accepted']);
  });

  test('a composite without claim and namespace', () => {
    const composite = xr({}, { metadata: { name: 'orders' } });
    expect(fatal(compose(request({ observed: { composite: { resource: composite } } })))).toContain('spec.claimRef');
  });

  test.each([
    ['databaseName', { databaseName: 'other' }, 'spec.databaseName: cannot be changed: the database is "orders"'],
    [
      'server',
      { serverRef: { name: 'b' } },
      'spec.serverRef.name: cannot be changed to "b": the database is on "shared"',
    ],
  ])('a changed %s, even where no API server kept it', (_, change, message) => {
    const database = resourcesOf(call())['database'];
    const observed = { composite: { resource: xr(change) }, resources: { database: { resource: database } } };
    expect(fatal(call({}, { observed }))).toBe(message);
  });

  test.each(ENGINES.flatMap((from) => ENGINES.filter((to) => to !== from).map((to) => [from, to] as const)))(
    'an engine that was %s and is %s',
    (from, to) => {
      const composite = xr({ engine: to }, { status: { engine: from } });
      const message = fatal(compose(request({ observed: { composite: { resource: composite } } })));
      expect(message).toBe(`spec.engine: cannot be changed: the database is on ${from}`);
    },
  );

  test('an input that is not understood', () => {
    expect(fatal(call({}, { input: { clases: [] } }))).toContain('input.clases: is not a field; allowed: classes, ');
  });

  test('a key that an earlier step has taken', () => {
    const desired = { resources: { database: { resource: { kind: 'ConfigMap' } } } };
    const response = call({}, { desired });
    expect(fatal(response)).toContain('desired.resources["database"]: is already wanted');
    expect(response.desired?.resources['database']?.resource).toEqual({ kind: 'ConfigMap' });
  });
});

describe('what earlier steps wanted', () => {
  const desired = {
    composite: { resource: { status: { other: 1 } }, connectionDetails: { extra: Buffer.from('x') }, ready: 1 },
    resources: { other: { resource: { apiVersion: 'v1', kind: 'ConfigMap', data: { list: '[1]' } }, ready: 1 } },
  };

  test('passes through untouched, and the request is not written to', () => {
    const one = request({ observed: { composite: { resource: xr() } }, desired });
    const before = RunFunctionRequest.encode(one).finish();
    const response = compose(one);
    expect(response.desired?.resources['other']).toEqual(one.desired?.resources['other']);
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ other: 1, databaseName: 'orders' });
    expect(response.desired?.composite?.connectionDetails['extra']?.toString()).toBe('x');
    expect(Buffer.from(RunFunctionRequest.encode(one).finish())).toEqual(Buffer.from(before));
  });

  test('passes through when the claim is refused', () => {
    const response = call({ engine: 'oracle' }, { desired });
    expect(Object.keys(response.desired?.resources ?? {})).toEqual(['other']);
  });
});
