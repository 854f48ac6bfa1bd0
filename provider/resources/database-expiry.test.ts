import { expect, test } from 'vitest';
import { DatabasePlanner } from './database.ts';
import { type Circumstances, contextOf, database, ours, plan, theirs } from './planning.fixture.ts';

const planner = new DatabasePlanner() as never;
/** An hour before the clock of the fixture. */
const OVER = '2026-06-01T11:00:00Z';
const LATER = '2026-06-01T13:00:00Z';
const holding = { databaseContents: () => ({ empty: false, summary: '3 tables' }) };
const there = (more: object = {}, answers: object = {}): Circumstances => ({
  owned: true,
  applied: {},
  answers: { database: () => database('orders', { mark: ours, ...more }), ...answers },
});

test('before its end nothing of it is seen', async () => {
  const planned = await plan(planner, { expiresAt: LATER, dropPolicy: 'Always' }, there());
  expect(planned).toMatchObject({ exists: true, steps: [] });
  expect(planned.unready).toBeUndefined();
  expect(planned.atProvider).not.toHaveProperty('expired');
});

test('after it the database is dropped by dropPolicy, and only so', async () => {
  const dropping = await plan(planner, { expiresAt: OVER, dropPolicy: 'Always' }, there({}, holding));
  expect(dropping.steps).toEqual([{ kind: 'dropDatabase', name: 'orders' }]);
  expect(dropping.atProvider).toEqual({ expired: 'Dropping', expiresAt: OVER });

  const kept = await plan(planner, { expiresAt: OVER, dropPolicy: 'WhenEmpty' }, there({}, holding));
  expect(kept).toMatchObject({ exists: true, steps: [], applied: {} });
  expect(kept.atProvider).toEqual({ expired: 'Kept', expiresAt: OVER });
  expect(kept.unready).toEqual({
    reason: 'Expired',
    message: `its time was over at ${OVER}; database "orders" kept: it holds 3 tables; dropPolicy Always drops it`,
  });
});

test('what is not ours is not dropped, whatever the policy', async () => {
  const planned = await plan(
    planner,
    { expiresAt: OVER, dropPolicy: 'Always' },
    { ...there({ mark: theirs }), owned: false },
  );
  expect(planned).toMatchObject({ exists: true, steps: [], atProvider: { expired: 'Kept' } });
});

test('what has ended is not made again', async () => {
  const planned = await plan(planner, { expiresAt: OVER, owner: 'nobody-any-more' });
  expect(planned).toMatchObject({ exists: true, steps: [], atProvider: { expired: 'Dropped', expiresAt: OVER } });
  expect(planned.applied).toBeUndefined();
});

test('a resource that may not delete keeps the database', async () => {
  const resource = {
    spec: {
      forProvider: { expiresAt: OVER, dropPolicy: 'Always' },
      managementPolicies: ['Observe', 'Create', 'Update'],
    },
  };
  const planned = await new DatabasePlanner().plan(resource as never, contextOf(there()));
  expect(planned).toMatchObject({ steps: [], atProvider: { expired: 'Kept' } });
  expect(planned.unready?.message).toContain('managementPolicies does not allow to delete it');
});
