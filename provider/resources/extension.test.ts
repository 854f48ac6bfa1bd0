import { describe, expect, test } from 'vitest';
import { ExtensionPlanner } from './extension.ts';
import type { ExtensionObserved } from './model/databases.ts';
import { database, ours, plan, planDelete, schema, server } from './planning.fixture.ts';

const planner = new ExtensionPlanner() as never;
const available = ['1.10', '1.9', '2.0'];
const spec = { database: 'orders', extension: 'hstore' };
const base = { database: () => database('orders'), schema: () => schema('ext') };
const offered = { answers: { ...base, extension: () => ({ installed: false as const, available }) } };
const installed = (more: Partial<ExtensionObserved> = {}) => ({
  answers: {
    ...base,
    extension: () => ({
      database: 'orders',
      name: 'hstore',
      version: '1.9',
      schema: 'public',
      mark: ours,
      available,
      ...more,
    }),
  },
});

test('an extension is installed in its version and schema, with what it needs (B56)', async () => {
  const wanted = { ...spec, version: '1.9', schema: 'ext', cascade: true };
  expect((await plan(planner, wanted, offered)).steps).toEqual([
    {
      kind: 'createExtension',
      database: 'orders',
      name: 'hstore',
      version: '1.9',
      schema: 'ext',
      cascade: true,
      mark: ours,
    },
  ]);
  expect((await plan(planner, spec, offered)).steps).toEqual([
    { kind: 'createExtension', database: 'orders', name: 'hstore', mark: ours },
  ]);
});

test('it waits for its database and its schema', async () => {
  await expect(plan(planner, spec)).rejects.toMatchObject({ reason: 'Waiting' });
  const answers = { database: base.database, extension: offered.answers.extension };
  await expect(plan(planner, { ...spec, schema: 'ext' }, { answers })).rejects.toThrow('schema "ext"');
});

test('a version or an extension that the server does not have is named, with what it has (B58)', async () => {
  const none = { answers: base };
  await expect(plan(planner, spec, none)).rejects.toMatchObject({
    reason: 'ExtensionNotAvailable',
    message: expect.stringContaining('the server does not offer "hstore"'),
  });
  for (const circumstances of [offered, installed()])
    await expect(plan(planner, { ...spec, version: '3.0' }, circumstances)).rejects.toThrow(
      'forProvider.version: the server offers "hstore" in 1.9, 1.10, 2.0, not in 3.0',
    );
});

test('a version that is installed stays, though the server no longer offers it', async () => {
  for (const version of ['1.9', undefined])
    expect((await plan(planner, { ...spec, version }, installed({ available: [] }))).steps).toEqual([]);
});

test('version and schema converge (B56, B58)', async () => {
  expect((await plan(planner, { ...spec, version: '2.0', schema: 'ext' }, installed())).steps).toEqual([
    { kind: 'updateExtension', database: 'orders', name: 'hstore', version: '2.0' },
    { kind: 'moveExtension', database: 'orders', name: 'hstore', schema: 'ext' },
  ]);
});

test('a schema that only a superuser can change is said to differ, and nothing is tried', async () => {
  const limited = server(18, { admin: { name: 'admin', superUser: false, createRole: true, createDb: true } });
  const moved = await plan(planner, { ...spec, version: '2.0', schema: 'ext' }, { ...installed(), server: limited });
  expect(moved.steps).toMatchObject([{ kind: 'updateExtension' }]);
  expect(moved.unchangeable).toEqual([
    'forProvider.schema is "ext" and the extension is in "public", which only a superuser can change: delete this resource and create another',
  ]);
});

test('one that nobody made for us is refused, or adopted when asked', async () => {
  const { mark: _, ...found } = installed().answers.extension();
  const foreign = { answers: { ...base, extension: () => found } };
  await expect(plan(planner, spec, foreign)).rejects.toMatchObject({ reason: 'AlreadyExists' });
  expect(await plan(planner, { ...spec, adopt: true }, foreign)).toMatchObject({
    steps: [{ kind: 'mark', on: { type: 'extension', database: 'orders', name: 'hstore' } }],
    applied: { adopted: true },
  });
});

describe('deletion', () => {
  test('drops ours, and keeps what was adopted', async () => {
    expect((await planDelete(planner, spec, installed())).steps).toEqual([
      { kind: 'dropExtension', database: 'orders', name: 'hstore' },
    ]);
    const adopted = { ...installed(), owned: true, applied: { adopted: true } };
    expect(await planDelete(planner, spec, adopted)).toMatchObject({
      exists: false,
      notes: [{ message: 'extension "hstore" of database "orders" kept: it was there before this resource' }],
    });
  });

  test('is done when the extension or its database is gone', async () => {
    expect(await planDelete(planner, spec, offered)).toMatchObject({ exists: false, steps: [] });
    expect(await planDelete(planner, spec)).toMatchObject({ exists: false, steps: [] });
  });
});

test('only PostgreSQL has extensions', async () => {
  const mysql = server(9, { engine: 'mysql', product: 'MySQL 9.7' });
  await expect(plan(planner, spec, { server: mysql })).rejects.toMatchObject({ reason: 'NotSupported' });
});
