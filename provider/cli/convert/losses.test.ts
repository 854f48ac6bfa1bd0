/** Nothing of the old manifests is left out without a word, however they come. */
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { convert, type Converted } from './convert.ts';
import { files, plain, read } from './convert.fixture.ts';

const everything = files.flatMap(read);

const lost = ({ notes }: Converted): string[] =>
  notes.filter(({ isLost }) => isLost).map(({ object, message }) => `${object}: ${message}`);
const byName = ({ objects }: Converted): Record<string, KubeObject> =>
  Object.fromEntries(
    objects.map((object) => [`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`, object]),
  );

const nameOf = ({ kind, metadata }: KubeObject): string =>
  `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`;

/** Of each kind one that has the most fields. */
const oneOfEach = [...Map.groupBy(everything, ({ kind }) => kind)].map(
  ([kind, all]) =>
    [
      kind,
      all.toSorted((a, b) => JSON.stringify(b['spec'] ?? {}).length - JSON.stringify(a['spec'] ?? {}).length)[0]!,
    ] as const,
);

test('the scenarios have all 15 kinds of the predecessor', () => {
  expect(oneOfEach.filter(([kind]) => kind !== 'Secret')).toHaveLength(15);
});

describe.each(oneOfEach)('a %s alone', (_, object) => {
  const converted = convert([object], plain);

  test('becomes something, or is named as what does not', () => {
    const made = converted.objects.some(({ metadata }) => metadata.name === object.metadata.name);
    const named = lost(converted).some((line) => line.startsWith(`${nameOf(object)}: `));
    expect([made, named]).toContain(true);
  });
});

describe.each(files)('%s', (name) => {
  const input = read(name);

  test('is the same in any order', () => {
    const forwards = byName(convert(input, plain));
    expect(byName(convert(input.toReversed(), plain))).toEqual(forwards);
    const middle = input.length >> 1;
    expect(byName(convert([...input.slice(middle), ...input.slice(0, middle)], plain))).toEqual(forwards);
  });

  test('names every field that nobody knows, wherever it is', () => {
    for (const [index, object] of input.entries()) {
      if (object.kind === 'Secret') continue;
      const strange = structuredClone(input);
      (strange[index]!['spec'] as Record<string, unknown>)['misspelt'] = { a: 1 };
      strange[index]!['data'] = {};
      const said = lost(convert(strange, plain));
      for (const field of ['spec.misspelt', 'data'])
        expect(said).toContainEqual(`${nameOf(object)}: ${field} is not a field that is known here`);
      expect(said).toHaveLength(2);
    }
  });
});

test('a field inside of a list is named by its place', () => {
  const input = structuredClone(read('pg9-privileges.yaml'));
  const user = input.find(({ kind, metadata }) => kind === 'User' && metadata.name === 'human-user')!;
  (user['spec'] as { db_privs: Record<string, unknown>[] }).db_privs[1]!['priv_tpye'] = 'schema';
  expect(lost(convert(input, plain))).toEqual([expect.stringContaining('spec.db_privs[1].priv_tpye is not a field')]);
});

const of = (apiVersion: string, kind: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x', namespace: 'a', ...metadata },
  spec,
});

test.each([
  [of('db-operator.kubemaster.com/v1alpha1', 'Database'), 'is none of the kinds of db-operator; known: DbServer, Db,'],
  [of('db-operator.kubemaster.com/v1beta1', 'Db'), 'is none of the kinds of db-operator'],
  [of('mssql.sql.crossplane.io/v1alpha1', 'User'), 'Microsoft SQL Server is not supported'],
  [of('mssql.sql.m.crossplane.io/v1alpha1', 'ProviderConfig'), 'Microsoft SQL Server is not supported'],
  [of('postgresql.sql.crossplane.io/v1beta1', 'Role'), 'is not known; known: v1alpha1'],
  [of('mysql.sql.m.crossplane.io/v1alpha1', 'Extension'), 'Extension is not a kind of provider-sql'],
  [
    of('mysql.sql.m.crossplane.io/v1alpha1', 'Database', { forProvider: { binlog: false } }),
    'forProvider.binlog false',
  ],
  [
    of('postgresql.sql.crossplane.io/v1alpha1', 'ProviderConfig', { credentials: { source: 'Filesystem' } }),
    'credentials.source "Filesystem"',
  ],
  [of('postgresql.sql.crossplane.io/v1alpha1', 'Role', { initProvider: {} }), 'spec.initProvider is not a field'],
  [
    of('postgresql.sql.crossplane.io/v1alpha1', 'Role', { publishConnectionDetailsTo: { name: 'x' } }),
    'spec.publishConnectionDetailsTo is not a field',
  ],
  [
    of('apiextensions.crossplane.io/v1', 'Composition', {
      resources: [{ base: { apiVersion: 'postgresql.sql.crossplane.io/v1alpha1', kind: 'Database' } }],
    }),
    'holds objects of the old kinds',
  ],
])('%# of %o is refused by name', (object, message) => {
  expect(lost(convert([object], plain))).toEqual([expect.stringContaining(message)]);
});

test('the second of two objects of one name is named, and does not replace the first', () => {
  const role = (login: boolean): KubeObject =>
    of('postgresql.sql.crossplane.io/v1alpha1', 'Role', { forProvider: { privileges: { login } } });
  const converted = convert([role(true), role(false)], plain);
  expect(converted.objects).toHaveLength(1);
  expect(JSON.stringify(converted.objects)).toContain('"login":true');
  expect(lost(converted)).toEqual(['Role a/x: there is a Role a/x in the files already']);
});

describe('what is around the fields', () => {
  const role = (metadata: object, spec: object = {}): KubeObject | undefined =>
    convert([of('postgresql.sql.m.crossplane.io/v1alpha1', 'Role', spec, metadata)], plain).objects[0];

  test('labels stay, as selectors look for them; what tools and the cluster wrote does not', () => {
    expect(
      role({
        labels: { tier: 'gold', 'app.kubernetes.io/managed-by': 'Helm', 'helm.sh/chart': 'x-1' },
        annotations: {
          'meta.helm.sh/release-name': 'x',
          'kubectl.kubernetes.io/last-applied-configuration': '{}',
          'crossplane.io/external-name': 'real',
          'crossplane.io/external-create-succeeded': '2026-01-01T00:00:00Z',
          'crossplane.io/paused': 'true',
          team: 'a',
        },
        uid: 'u',
        resourceVersion: '1',
        finalizers: ['finalizer.managedresource.crossplane.io'],
        ownerReferences: [{ kind: 'X' }],
      })?.metadata,
    ).toEqual({
      name: 'x',
      namespace: 'a',
      labels: { tier: 'gold' },
      annotations: { team: 'a', 'crossplane.io/paused': 'true', 'crossplane.io/external-name': 'real' },
    });
  });

  test.each([
    [{ managementPolicies: ['Observe'] }, ['Observe']],
    [{ managementPolicies: ['*'] }, undefined],
    [{ managementPolicies: ['Observe', 'Delete'], deletionPolicy: 'Orphan' }, ['Observe']],
    [{ deletionPolicy: 'Orphan' }, ['Observe', 'Create', 'Update', 'LateInitialize']],
    [{ deletionPolicy: 'Delete' }, undefined],
  ])('%j allows as much as before, and no more', (spec, policies) => {
    const made = role({}, spec)?.['spec'] as { managementPolicies?: string[] } | undefined;
    expect(made?.managementPolicies).toEqual(policies);
  });

  test('a Secret out of a cluster can be applied', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 's',
        namespace: 'a',
        uid: 'u',
        resourceVersion: '7',
        creationTimestamp: 'x',
        managedFields: [],
      },
      data: { password: 'cHc=' },
    };
    expect(convert([secret], plain)).toEqual({
      objects: [{ ...secret, metadata: { name: 's', namespace: 'a' } }],
      notes: [],
    });
  });

  test('what a composite made is said to come back', () => {
    const { notes } = convert(
      [of('postgresql.sql.m.crossplane.io/v1alpha1', 'Role', {}, { labels: { 'crossplane.io/composite': 'xr' } })],
      plain,
    );
    expect(notes.map(({ message }) => message)).toEqual([expect.stringContaining('was composed by xr')]);
  });
});

const postgresql = (kind: string, forProvider: object): KubeObject => ({
  apiVersion: 'postgresql.sql.crossplane.io/v1alpha1',
  kind,
  metadata: { name: 'a' },
  spec: { forProvider },
});

test('what a new kind would refuse is named, and what it only spells in another way is not', () => {
  expect(lost(convert([postgresql('Database', { strategy: 'wal_log' })], plain))).toEqual([]);
  expect(lost(convert([postgresql('Role', { connectionLimit: 'five' })], plain))).toEqual([
    'Role default/a: what comes of it would be refused: Role "a": spec.forProvider.connectionLimit: "five" is not an integer',
  ]);
});

test.each(['k8s.mariadb.com/v1alpha1', 'db.movetokube.com/v1alpha1', 'kinda.rocks/v1beta1'])(
  'a manifest of another operator (%s) stays as it is, and that is said',
  (apiVersion) => {
    const object = { ...postgresql('Database', {}), apiVersion };
    const converted = convert([object], plain);
    expect(converted.objects).toEqual([object]);
    expect(lost(converted)).toEqual([
      `Database default/a: stays as it is: manifests of ${apiVersion.split('/')[0]} are not converted; xdb import writes manifests for what is on the server`,
    ]);
  },
);
