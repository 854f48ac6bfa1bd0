import { describe, expect, test } from 'vitest';
import { GrantKind } from '../../api/grant.ts';
import { RoleKind } from '../../api/role.ts';
import { SchemaKind } from '../../api/schema.ts';
import type { KindDefinition, Managed } from '../../api/kind.ts';
import { References } from './references.ts';

const make = (
  kind: string,
  name: string,
  options: {
    externalName?: string;
    labels?: Record<string, string>;
    owner?: string;
    spec?: Record<string, unknown>;
  } = {},
): Managed => ({
  apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
  kind,
  metadata: {
    namespace: 'team-a',
    name,
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    annotations: options.externalName === undefined ? {} : { 'crossplane.io/external-name': options.externalName },
    ownerReferences:
      options.owner === undefined
        ? []
        : [{ apiVersion: 'x/v1', kind: 'X', name: 'x', uid: options.owner, controller: true }],
  },
  spec: { forProvider: options.spec ?? {}, providerConfigRef: { kind: 'ProviderConfig', name: 'default' } },
});

const resolve = async (definition: unknown, resource: Managed, ...others: Managed[]) =>
  await new References(definition as KindDefinition, {
    get: (kind, namespace, name) =>
      others.find((o) => o.kind === kind && o.metadata.namespace === namespace && o.metadata.name === name),
    list: (kind, namespace) => others.filter((o) => o.kind === kind && o.metadata.namespace === namespace),
  }).resolve(resource);

describe('references', () => {
  const database = make('Database', 'orders-db', {
    externalName: 'orders',
    labels: { tier: 'gold' },
    owner: 'composite-1',
  });

  test('a reference becomes the external name, not the object name', async () => {
    const schema = make('Schema', 'app', { spec: { databaseRef: { name: 'orders-db' } } });
    expect(await resolve(SchemaKind, schema, database)).toEqual({ database: 'orders' });
  });

  test('an account is referred to with its host', async () => {
    const account = make('Role', 'app', { externalName: 'a@corp.com', spec: { host: '10.%' } });
    const grant = make('Grant', 'g', { spec: { roleRef: { name: 'app' } } });
    expect(await resolve(GrantKind, grant, account)).toEqual({ role: 'a@corp.com@10.%' });
  });

  test('a value that is set stays, unless the policy is Always', async () => {
    const set = (policy?: object) =>
      make('Schema', 'app', { spec: { database: 'old', databaseRef: { name: 'orders-db', policy } } });
    expect(await resolve(SchemaKind, set(), database)).toEqual({});
    expect(await resolve(SchemaKind, set({ resolve: 'Always' }), database)).toEqual({ database: 'orders' });
  });

  test('a missing object is named, unless the reference is optional', async () => {
    const schema = (policy?: object) => make('Schema', 'app', { spec: { databaseRef: { name: 'nope', policy } } });
    await expect(resolve(SchemaKind, schema(), database)).rejects.toMatchObject({ reason: 'ReferenceNotFound' });
    expect(await resolve(SchemaKind, schema({ resolution: 'Optional' }), database)).toEqual({});
  });

  test('an object without external name is waited for', async () => {
    const schema = make('Schema', 'app', { spec: { databaseRef: { name: 'young' } } });
    await expect(resolve(SchemaKind, schema, make('Database', 'young'))).rejects.toMatchObject({
      reason: 'ReferenceNotReady',
    });
  });

  test('an object of another namespace is never found', async () => {
    const foreign = make('Database', 'orders-db', { externalName: 'theirs' });
    foreign.metadata.namespace = 'team-b';
    const schema = make('Schema', 'app', { spec: { databaseRef: { name: 'orders-db', namespace: 'team-b' } } });
    await expect(resolve(SchemaKind, schema, foreign)).rejects.toMatchObject({ reason: 'ReferenceNotFound' });
  });

  test('a selector wants labels and, if asked, the same controller', async () => {
    const pick = (selector: object, owner?: string) =>
      make('Schema', 'app', { spec: { databaseSelector: selector }, ...(owner === undefined ? {} : { owner }) });
    expect(await resolve(SchemaKind, pick({ matchLabels: { tier: 'gold' } }), database)).toEqual({
      database: 'orders',
    });
    await expect(resolve(SchemaKind, pick({ matchLabels: { tier: 'tin' } }), database)).rejects.toMatchObject({
      reason: 'ReferenceNotFound',
    });
    expect(await resolve(SchemaKind, pick({ matchControllerRef: true }, 'composite-1'), database)).toEqual({
      database: 'orders',
    });
    await expect(resolve(SchemaKind, pick({ matchControllerRef: true }, 'composite-2'), database)).rejects.toThrow();
    await expect(resolve(SchemaKind, pick({ matchControllerRef: true }), database)).rejects.toThrow();
  });

  test('groups in a list are resolved one by one and keep their other fields', async () => {
    const group = make('Role', 'owners', { externalName: 'orders_owner' });
    const role = make('Role', 'app', {
      spec: { memberOf: [{ role: 'given' }, { roleRef: { name: 'owners' }, admin: true }] },
    });
    expect(await resolve(RoleKind, role, group)).toEqual({
      memberOf: [{ role: 'given' }, { roleRef: { name: 'owners' }, admin: true, role: 'orders_owner' }],
    });
  });
});
