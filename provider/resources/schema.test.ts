import { describe, expect, test } from 'vitest';
import { database, ours, plan, planDelete, role, schema, server, theirs } from './planning.fixture.ts';
import { SchemaPlanner } from './schema.ts';

const planner = new SchemaPlanner() as never;
const base = { database: () => database('orders'), role: () => role('owner') };
const at = (name: string, more: Parameters<typeof schema>[1] = {}) => ({
  externalName: name,
  answers: { ...base, schema: () => schema(name, { mark: ours, ...more }) },
});
const spec = { database: 'orders', owner: 'owner' };

test('a schema is made with its owner', async () => {
  expect(await plan(planner, spec, { externalName: 'app', answers: base })).toMatchObject({
    exists: false,
    steps: [{ kind: 'createSchema', database: 'orders', name: 'app', owner: 'owner', mark: ours }],
  });
});

test('it waits for its database and for its owner', async () => {
  await expect(plan(planner, spec, { externalName: 'app' })).rejects.toMatchObject({
    reason: 'Waiting',
    message: 'database "orders" (forProvider.database) does not exist yet',
  });
  const answers = { database: base.database };
  await expect(plan(planner, spec, { externalName: 'app', answers })).rejects.toThrow('role "owner"');
});

test('the owner converges, of an existing public too when it is adopted (B54)', async () => {
  expect((await plan(planner, spec, at('app'))).steps).toEqual([
    { kind: 'alterSchemaOwner', database: 'orders', name: 'app', owner: 'owner' },
  ]);
  const found = { externalName: 'public', answers: { ...base, schema: () => schema('public') } };
  await expect(plan(planner, spec, found)).rejects.toMatchObject({ reason: 'AlreadyExists' });
  expect(await plan(planner, { ...spec, adopt: true }, found)).toMatchObject({
    applied: { adopted: true },
    steps: [
      { kind: 'mark', on: { type: 'schema', database: 'orders', name: 'public' } },
      { kind: 'alterSchemaOwner', name: 'public', owner: 'owner' },
    ],
  });
});

test('a schema as asked for is left alone', async () => {
  const steady = at('app', { owner: 'owner', publicPrivileges: ['USAGE'] });
  expect(await plan(planner, spec, steady)).toMatchObject({ exists: true, steps: [], atProvider: { owner: 'owner' } });
  expect((await plan(planner, { database: 'orders' }, steady)).steps).toEqual([]);
});

test('revokePublicOnSchema takes from PUBLIC what it has on exactly this schema (B60)', async () => {
  const open = at('app', { owner: 'owner', publicPrivileges: ['CREATE', 'USAGE'] });
  expect((await plan(planner, { ...spec, revokePublicOnSchema: true }, open)).steps).toEqual([
    { kind: 'revokeSchemaPublic', database: 'orders', name: 'app', privileges: ['CREATE', 'USAGE'] },
  ]);
  expect((await plan(planner, { ...spec, revokePublicOnSchema: true }, at('app', { owner: 'owner' }))).steps).toEqual(
    [],
  );
});

describe('deletion', () => {
  const filled = { ...base, schemaContents: () => ({ empty: false, summary: '1 view' }) };

  test('drops an empty schema without CASCADE, and any with dropPolicy Always (F53)', async () => {
    expect((await planDelete(planner, spec, at('app'))).steps).toEqual([
      { kind: 'dropSchema', database: 'orders', name: 'app', cascade: false },
    ]);
    expect((await planDelete(planner, { ...spec, dropPolicy: 'Always' }, at('app'))).steps).toMatchObject([
      { cascade: true },
    ]);
  });

  test('keeps one that holds something, was adopted or may not be dropped, and says why', async () => {
    const holding = { ...at('app'), answers: { ...filled, schema: at('app').answers.schema } };
    expect(await planDelete(planner, spec, holding)).toMatchObject({
      exists: false,
      notes: [{ message: 'schema "app" of database "orders" kept: it holds 1 view; dropPolicy Always drops it' }],
    });
    for (const circumstances of [
      { spec, context: { ...at('app'), owned: true, applied: { adopted: true } } },
      { spec: { ...spec, dropPolicy: 'Never' }, context: at('app') },
    ])
      expect(await planDelete(planner, circumstances.spec, circumstances.context)).toMatchObject({
        exists: false,
        steps: [],
        notes: [{ reason: 'KeptExternalResource' }],
      });
  });

  test('never drops public', async () => {
    const kept = await planDelete(planner, { ...spec, dropPolicy: 'Always' }, at('public'));
    expect(kept).toMatchObject({ exists: false, steps: [], notes: [{ reason: 'KeptExternalResource' }] });
  });

  test('is done when the schema or its database is gone, and when the schema is not ours (B98, B112)', async () => {
    const gone = { schema: () => Promise.reject(new Error('3D000')) as never };
    expect(await planDelete(planner, spec, { externalName: 'app', answers: gone })).toMatchObject({ exists: false });
    expect(await planDelete(planner, spec, { externalName: 'app', answers: base })).toMatchObject({ exists: false });
    expect(await planDelete(planner, spec, at('app', { mark: theirs }))).toMatchObject({ exists: false, steps: [] });
  });
});

test('schemas of the server itself, and servers without schemas, are refused', async () => {
  for (const name of ['pg_catalog', 'information_schema'])
    await expect(plan(planner, spec, { externalName: name })).rejects.toMatchObject({ reason: 'ReservedName' });
  const mysql = server(9, { engine: 'mysql', product: 'MySQL 9.7' });
  await expect(plan(planner, spec, { externalName: 'app', server: mysql })).rejects.toThrow(
    'MySQL 9.7 has no schemas inside a database: use a Database',
  );
});
