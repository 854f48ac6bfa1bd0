import {
  Ready,
  RunFunctionRequest,
  RunFunctionResponse,
  Severity,
  Status,
} from '@crossplane-org/function-sdk-typescript';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kinds } from '../provider/api/registry.ts';
import { parse } from '../provider/api/validate.ts';
import { ACCESS, ENGINES } from './claim.ts';
import { compose } from './compose.ts';

type Json = Record<string, unknown>;

const roles = [
  { name: 'migrate', access: 'owner' },
  { name: 'app', access: 'readWrite' },
  { name: 'report', access: 'readOnly' },
];

const xr = (spec: Json = {}, more: Json = {}): Json => ({
  apiVersion: 'xdatabase.dev/v1alpha1',
  kind: 'XDatabase',
  metadata: { name: 'orders', namespace: 'team-a' },
  spec: { serverRef: { name: 'shared' }, roles, ...spec },
  ...more,
});

/** Over the wire and back, as Crossplane sends it. */
const request = (parts: object): RunFunctionRequest =>
  RunFunctionRequest.decode(RunFunctionRequest.encode(RunFunctionRequest.fromPartial(parts as never)).finish());

const call = (spec: Json = {}, more: object = {}): RunFunctionResponse =>
  compose(request({ meta: { tag: 'tag' }, observed: { composite: { resource: xr(spec) }, resources: {} }, ...more }));

const fatal = (response: RunFunctionResponse): string | undefined =>
  response.results.find(({ severity }) => severity === Severity.SEVERITY_FATAL)?.message;

interface Managed {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; namespace: string; annotations?: Record<string, string> };
  spec: { forProvider: Json; providerConfigRef: Json; writeConnectionSecretToRef?: Json };
}

const resourcesOf = (response: RunFunctionResponse): Record<string, Managed> => {
  expect(fatal(response)).toBeUndefined();
  return Object.fromEntries(
    Object.entries(response.desired?.resources ?? {}).map(([key, { resource }]) => [
      key,
      resource as unknown as Managed,
    ]),
  );
};

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
    for (const creator of ['orders_owner', 'orders_migrate']) {
      for (const type of ['table', 'sequence', 'function']) expect(found).toContain(`${creator},orders_app,${type}`);
      for (const type of ['table', 'sequence']) expect(found).toContain(`${creator},orders_report,${type}`);
    }
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

describe('what is refused', () => {
  const long = 'x'.repeat(60);
  test.each<[Json, string]>([
    [{ serverRef: undefined }, 'spec.serverRef: serverRef or class is required'],
    [{ class: 'a' }, 'spec.class: cannot be combined with serverRef'],
    [{ engine: 'oracle' }, 'spec.engine: Invalid option'],
    [{ colour: 'blue' }, 'spec: Unrecognized key: "colour"'],
    [{ roles: [{ name: 'App', access: 'owner' }] }, 'spec.roles[0].name: must be lower-case letters'],
    [{ roles: [{ name: 'a', access: 'admin' }] }, 'spec.roles[0].access: Invalid option'],
    [{ roles: [roles[0], roles[0]] }, 'spec.roles[1].name: "migrate" is given twice'],
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
    expect(response.conditions).toEqual([]);
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

  test('a changed engine', () => {
    const composite = xr({ engine: 'mysql' }, { status: { engine: 'postgres' } });
    const message = fatal(compose(request({ observed: { composite: { resource: composite } } })));
    expect(message).toBe('spec.engine: cannot be changed: the database is on postgres');
  });

  test('an input that is not understood', () => {
    expect(fatal(call({}, { input: { clases: [] } }))).toBe('input: Unrecognized key: "clases"');
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

/** Composes, then shows everything as the provider would have made it. */
function observed(spec: Json, status: (key: string) => Json, details: Record<string, string> = {}): object {
  const resources = Object.fromEntries(
    Object.entries(resourcesOf(call(spec))).map(([key, resource]) => [
      key,
      {
        resource: { ...resource, metadata: { ...resource.metadata, name: `orders-${key}` }, status: status(key) },
        connectionDetails:
          key === 'role-login-app'
            ? Object.fromEntries(Object.entries(details).map(([name, value]) => [name, Buffer.from(value)]))
            : {},
      },
    ]),
  );
  return { observed: { composite: { resource: xr(spec) }, resources } };
}

const READY = {
  conditions: [
    { type: 'Ready', status: 'True' },
    { type: 'Synced', status: 'True' },
  ],
};
const DETAILS = { username: 'orders_app', password: 'p', endpoint: 'db', port: '5432', database: 'orders', uri: 'u' };

describe('what is reported', () => {
  test('a resource is ready when the provider says so, and no sooner', () => {
    const response = call(
      {},
      observed({}, (key) => (key === 'database' ? {} : READY), DETAILS),
    );
    expect(response.desired?.resources['database']?.ready).toBe(Ready.READY_FALSE);
    expect(response.desired?.resources['role-owner']?.ready).toBe(Ready.READY_TRUE);
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({
      phase: 'Creating',
      waitingFor: ['Database orders-database (database)'],
      endpoint: 'db:5432',
      secretNames: ['orders-migrate', 'orders-app', 'orders-report'],
    });
  });

  test('conditions name what fails and why', () => {
    const bad = {
      conditions: [{ type: 'Synced', status: 'False', reason: 'ReconcileError', message: 'no CREATEROLE' }],
    };
    const { conditions } = call(
      {},
      observed({}, (key) => (key.startsWith('role-login') ? bad : READY)),
    );
    expect(conditions.map(({ type, status }) => [type, status])).toEqual([
      ['DatabaseReady', Status.STATUS_CONDITION_TRUE],
      ['RolesReady', Status.STATUS_CONDITION_FALSE],
      ['GrantsReady', Status.STATUS_CONDITION_TRUE],
    ]);
    expect(conditions[1]?.message).toBe(
      'Role orders-role-login-migrate (role-login-migrate): no CREATEROLE (and 2 more)',
    );
  });

  test('the same request gives the same answer, byte for byte', () => {
    const answer = () =>
      RunFunctionResponse.encode(
        call(
          {},
          observed({}, () => READY, DETAILS),
        ),
      ).finish();
    expect(Buffer.from(answer())).toEqual(Buffer.from(answer()));
  });

  test('a v2 composite gets its Secret, and is not ready before', () => {
    const spec = { writeConnectionSecretToRef: { name: 'orders-db' } };
    const early = call(
      spec,
      observed(spec, () => READY),
    );
    expect(early.desired?.composite?.ready).toBe(Ready.READY_FALSE);
    expect(early.desired?.resources['connection-secret']).toBeUndefined();
    const late = call(
      spec,
      observed(spec, () => READY, DETAILS),
    );
    expect(late.desired?.composite?.ready).toBe(Ready.READY_UNSPECIFIED);
    expect(late.desired?.resources['connection-secret']?.resource).toMatchObject({
      kind: 'Secret',
      metadata: { name: 'orders-db', namespace: 'team-a' },
      data: { username: Buffer.from('orders_app').toString('base64') },
    });
  });

  test('the Secret of the application outlives a moment without the Secret of the role', () => {
    const spec = { writeConnectionSecretToRef: { name: 'orders-db' } };
    const data = { username: 'b3JkZXJzX2FwcA==' };
    const shown = observed(spec, () => READY) as { observed: { resources: Json } };
    shown.observed.resources['connection-secret'] = { resource: { kind: 'Secret', data } };
    expect(call(spec, shown).desired?.resources['connection-secret']?.resource).toMatchObject({ data });
  });

  test('a claim gets its credentials from Crossplane', () => {
    const spec = { claimRef: { name: 'orders', namespace: 'team-a' }, connectionRole: 'app' };
    const response = call(
      spec,
      observed(spec, () => READY, { ...DETAILS, jdbcUrl: 'j' }),
    );
    expect(Object.keys(response.desired?.composite?.connectionDetails ?? {}).toSorted()).toEqual(
      Object.keys(DETAILS).toSorted(),
    );
    expect(response.desired?.resources['connection-secret']).toBeUndefined();
  });
});

test('no request makes it throw, drop an earlier step or answer what cannot be sent', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const name = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 70 }),
    fc.constantFrom('app', 'public', '__proto__', 'constructor'),
  );
  const mostly = <T>(good: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 6, arbitrary: good as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: json });
  const spec = fc.record(
    {
      engine: mostly(fc.constantFrom(...ENGINES)),
      serverRef: mostly(fc.record({ name: fc.constant('shared') })),
      databaseName: mostly(name),
      schemas: mostly(fc.array(fc.record({ name: mostly(name) }), { maxLength: 4 })),
      extensions: mostly(fc.array(fc.record({ name: mostly(name) }), { maxLength: 2 })),
      roles: mostly(
        fc.array(
          fc.record(
            { name: mostly(name), access: mostly(fc.constantFrom(...ACCESS)), username: name },
            { requiredKeys: ['name', 'access'] },
          ),
          { maxLength: 4 },
        ),
      ),
      claimRef: mostly(fc.constant({ name: 'orders', namespace: 'team-a' })),
      adopt: mostly(fc.boolean()),
      writeConnectionSecretToRef: mostly(fc.record({ name })),
    },
    { requiredKeys: ['serverRef'] },
  );
  const composite = mostly(
    fc.record({
      metadata: mostly(fc.constant({ name: 'orders', namespace: 'team-a' })),
      spec: mostly(spec),
      status: json,
    }),
  );
  const observedResources = fc.dictionary(
    fc.constantFrom('database', 'role-owner', 'role-login-app', 'connection-secret'),
    fc.record({ resource: fc.dictionary(fc.constantFrom('metadata', 'spec', 'status', 'data'), json) }),
  );
  fc.assert(
    fc.property(composite, observedResources, json, (resource, resources, input) => {
      const isObject = typeof resource === 'object' && resource !== null && !Array.isArray(resource);
      const response = compose({
        ...RunFunctionRequest.fromPartial({ meta: { tag: 't' } }),
        observed: {
          composite: { resource: isObject ? (resource as Json) : undefined, connectionDetails: {}, ready: 0 },
          resources: resources as never,
        },
        desired: { composite: undefined, resources: { before: { resource: {}, connectionDetails: {}, ready: 1 } } },
        input: input as never,
      } as RunFunctionRequest);
      expect(fatal(response) ?? '').not.toContain('internal error');
      expect(response.meta?.tag).toBe('t');
      expect(response.desired?.resources['before']).toBeDefined();
      expect(() => RunFunctionResponse.encode(response).finish()).not.toThrow();
    }),
    { numRuns: 500 },
  );
});
