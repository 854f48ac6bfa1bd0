import { describe, expect, test } from 'vitest';
import { DatabasePlanner } from './database.ts';
import { isUnfinished, unfinishedLimit } from './database-unfinished.ts';
import { type Circumstances, contextOf, database, ours, plan, planDelete, role, theirs } from './planning.fixture.ts';
import { admitted } from './tenant-steps.ts';
import type { Tenant } from './tenant.ts';

const planner = new DatabasePlanner() as never;
const unfinished = (uid = ours.uid) => ({
  allowConnections: false,
  connectionLimit: unfinishedLimit('orders', { uid }),
  owner: 'admin',
});
const found = (more: Parameters<typeof database>[1], circumstances: Circumstances = {}): Circumstances => ({
  ...circumstances,
  answers: { database: () => database('orders', more), role: () => role('owner') },
});
const marking = { kind: 'mark', on: { type: 'database', name: 'orders' }, mark: ours };

describe('a database that was being made when the process died', () => {
  test('is finished by the resource that made it, even if that does not know that it did', async () => {
    const spec = { owner: 'owner', connectionLimit: 5 };
    expect((await plan(planner, spec, found(unfinished()))).steps).toEqual([
      marking,
      { kind: 'alterDatabase', name: 'orders', owner: 'owner', allowConnections: true, connectionLimit: 5 },
    ]);
    expect((await plan(planner, { allowConnections: false }, found(unfinished()))).steps).toEqual([
      marking,
      { kind: 'alterDatabase', name: 'orders', allowConnections: false, connectionLimit: -1 },
    ]);
  });

  test('takes connections while its initSQL is to run, and none afterwards when none are wanted', async () => {
    const spec = { owner: 'owner', allowConnections: false, initSQL: 'SELECT 1' };
    const { steps } = await plan(planner, spec, found(unfinished()));
    expect(steps.map((step) => (step.kind === 'alterDatabase' ? step.allowConnections : step.kind))).toEqual([
      'mark',
      true,
      'mark',
      'initSQL',
      'mark',
      false,
    ]);
  });

  test('is dropped with the resource, as nobody can have put anything into it', async () => {
    expect((await planDelete(planner, {}, found(unfinished(), { owned: true }))).steps).toEqual([
      { kind: 'dropDatabase', name: 'orders' },
    ]);
  });

  test('is nobody else’s', async () => {
    for (const more of [
      unfinished(theirs.uid),
      { ...unfinished(), allowConnections: true },
      { allowConnections: false },
    ])
      await expect(plan(planner, {}, found(more))).rejects.toMatchObject({ reason: 'AlreadyExists' });
    // The number is of the name, too.
    expect(isUnfinished(database('invoices', unfinished()), ours)).toBe(false);
  });
});

describe('on a shared server', () => {
  const tenant: Tenant = { made: (_, mark) => mark?.uid === ours.uid, mayJoin: () => false, maySet: () => false };
  const admit = async (more: Parameters<typeof database>[1], creating: boolean): Promise<unknown> => {
    const circumstances = found(more, { tenant, owned: creating, creating });
    return await admitted(await plan(planner, {}, circumstances), contextOf(circumstances));
  };

  test('an unfinished database is its maker’s', async () => {
    await expect(admit(unfinished(), true)).resolves.toMatchObject({ steps: [marking, { kind: 'alterDatabase' }] });
  });

  test('a database of the administrator is no tenant’s, whatever its annotations say', async () => {
    await expect(admit({ owner: 'admin' }, true)).rejects.toMatchObject({ reason: 'NotYours' });
    await expect(admit({ owner: 'admin', allowConnections: false, connectionLimit: 0 }, true)).rejects.toMatchObject({
      reason: 'NotYours',
    });
  });
});

test('a database whose initSQL was cut off loses the login of that, and once only', async () => {
  const login = 'xdatabase_run_sql_0';
  const end = { kind: 'endScript', database: 'orders', login };
  expect((await plan(planner, {}, found({ mark: ours, scriptLogin: login }))).steps).toEqual([end]);
  expect((await plan(planner, {}, found({ mark: ours }))).steps).toEqual([]);
  expect((await planDelete(planner, {}, found({ mark: ours, scriptLogin: login }))).steps).toEqual([
    end,
    { kind: 'dropDatabase', name: 'orders' },
  ]);
});

test('the number is no limit that anybody has, and one that the server can hold', () => {
  for (const uid of ['', 'a', 'b', '0f6a4c1e-0000-4000-8000-000000000000']) {
    const limit = unfinishedLimit('orders', { uid });
    expect(limit).toBeGreaterThanOrEqual(1_000_000_000);
    expect(limit).toBeLessThanOrEqual(2_147_483_647);
  }
});
