import { describe, expect, test } from 'vitest';
import type { RoleDependencies } from './model/roles.ts';
import type { PlanContext } from './planner.ts';
import { type Answers, contextOf, role } from './planning.fixture.ts';
import { dropSteps, reasonToStay } from './role-deletion.ts';

const tables = { database: 'orders', objects: ['table app.a', 'table app.b'], count: 2 };

function steps(onDelete: object, dependencies: RoleDependencies, more: Answers = {}) {
  const answers: Answers = {
    roleDependencies: () => dependencies,
    role: ({ name }) => (name === 'heir' ? role('heir') : undefined),
    ...more,
  };
  const spec = { onDelete: { revokeGrants: true, ...onDelete } } as never;
  return dropSteps(spec, contextOf({ externalName: 'app', answers }));
}
const drop = { kind: 'dropRole', name: 'app' };

test('a role with nothing is dropped', async () => {
  expect(await steps({}, { owned: [], ownedDatabases: [], databases: [] })).toEqual([drop]);
});

test('privileges are revoked in every database, and whatever appears meanwhile is given away, not dropped (B108)', async () => {
  expect(await steps({}, { owned: [], ownedDatabases: [], databases: ['a', 'b'] })).toEqual([
    { kind: 'reassignOwned', database: 'a', from: 'app', to: null },
    { kind: 'dropOwned', database: 'a', role: 'app' },
    { kind: 'reassignOwned', database: 'b', from: 'app', to: null },
    { kind: 'dropOwned', database: 'b', role: 'app' },
    drop,
  ]);
});

describe('a role that owns something', () => {
  const owning = { owned: [tables], ownedDatabases: [], databases: ['orders', 'other'] };

  test('is not dropped, and what it owns is named with the remedy; it is looked at again (B102, F50)', async () => {
    await expect(steps({}, owning)).rejects.toMatchObject({
      reason: 'DependentObjects',
      retryable: true,
      message:
        'role "app" owns table app.a, table app.b in database "orders"; set forProvider.onDelete.reassignOwnedTo or reassignOwnedToAdmin to give it away, or dropOwned to drop it',
    });
  });

  test('in several databases has a few objects named, and the others counted', async () => {
    const many = { database: 'x', objects: Array.from({ length: 10 }, (_, i) => `table t${i}`), count: 12 };
    const unseen = { database: 'y', objects: [], count: 1 };
    await expect(steps({}, { owned: [many, unseen], ownedDatabases: [], databases: ['x', 'y'] })).rejects.toThrow(
      'owns table t0, table t1, table t2, table t3, table t4 and 7 other objects in database "x"; 1 object in database "y"; set',
    );
  });

  test.each([
    ['to another role', { reassignOwnedTo: 'heir' }, 'heir'],
    ['to the administrator', { reassignOwnedToAdmin: true }, null],
  ])('has it given %s in every database, and loses its privileges', async (_, onDelete, to) => {
    expect(await steps(onDelete, owning)).toEqual([
      ...['orders', 'other'].flatMap((database) => [
        { kind: 'reassignOwned', database, from: 'app', to },
        { kind: 'dropOwned', database, role: 'app' },
      ]),
      drop,
    ]);
  });

  test('has it dropped only when told so (F51)', async () => {
    expect(await steps({ dropOwned: true }, owning)).toEqual([
      { kind: 'dropOwned', database: 'orders', role: 'app' },
      { kind: 'dropOwned', database: 'other', role: 'app' },
      drop,
    ]);
  });

  test('is not dropped when it owns a database, which DROP OWNED leaves', async () => {
    const database = { database: '', objects: ['database orders'], count: 1 };
    await expect(
      steps({ dropOwned: true }, { owned: [database, tables], ownedDatabases: ['orders'], databases: ['orders'] }),
    ).rejects.toThrow('role "app" owns database orders, which forProvider.onDelete.dropOwned does not drop');
    expect(
      await steps(
        { reassignOwnedToAdmin: true },
        { owned: [database], ownedDatabases: ['orders'], databases: ['postgres'] },
      ),
    ).toHaveLength(3);
  });

  test.each(['nobody', 'app'])('is not dropped when %j is to inherit it', async (reassignOwnedTo) => {
    await expect(steps({ reassignOwnedTo }, owning)).rejects.toMatchObject({
      reason: 'DependentObjects',
      message: expect.stringContaining(`reassignOwnedTo is "${reassignOwnedTo}"`),
    });
  });
});

test('the heir may be gone when there is nothing to inherit, so that deletion ends in any order', async () => {
  expect(await steps({ reassignOwnedTo: 'nobody' }, { owned: [], ownedDatabases: [], databases: ['a'] })).toEqual([
    { kind: 'reassignOwned', database: 'a', from: 'app', to: null },
    { kind: 'dropOwned', database: 'a', role: 'app' },
    drop,
  ]);
});

test('without leave to revoke, the databases are named', async () => {
  await expect(
    steps({ revokeGrants: false }, { owned: [], ownedDatabases: [], databases: ['a', 'b'] }),
  ).rejects.toThrow('role "app" holds privileges in "a", "b" and forProvider.onDelete.revokeGrants is false');
  expect(await steps({ revokeGrants: false }, { owned: [], ownedDatabases: [], databases: [] })).toEqual([drop]);
});

describe('a role that is kept as an owner', () => {
  const owning = {
    owned: [{ database: '', objects: ['database orders'], count: 1 }, tables],
    ownedDatabases: ['orders'],
    databases: ['orders'],
  };
  const why = async (onDelete: object, dependencies: RoleDependencies, more: Partial<PlanContext> = {}) =>
    await reasonToStay({ onDelete: { revokeGrants: true, ...onDelete } } as never, {
      ...contextOf({
        externalName: 'app',
        answers: {
          roleDependencies: () => dependencies,
          role: ({ name }) => (name === 'heir' ? role('heir') : undefined),
        },
      }),
      ...more,
    });

  test('stays with what it owns, and says what that is', async () => {
    expect(await why({ keepIfOwner: true }, owning)).toBe(
      'it owns database orders; table app.a, table app.b in database "orders"',
    );
  });

  test('goes when it owns nothing, or when nobody asked for it to stay', async () => {
    expect(await why({ keepIfOwner: true }, { owned: [], ownedDatabases: [], databases: [] })).toBeUndefined();
    expect(await why({}, owning)).toBeUndefined();
  });

  test('waits while a resource still manages its database, as that may be dropped', async () => {
    const isManaged: PlanContext['isManaged'] = ({ kind, name }) => kind === 'Database' && name === 'orders';
    await expect(why({ keepIfOwner: true }, owning, { isManaged })).rejects.toMatchObject({
      reason: 'Waiting',
      retryable: true,
      message: 'role "app" owns database "orders", which a Database still manages',
    });
  });

  test('is not kept for a database that was dropped while this was read, and whose resource is gone', async () => {
    const answers = [owning, { owned: [], ownedDatabases: [], databases: [] }];
    const isManaged: PlanContext['isManaged'] = () => false;
    const context = contextOf({ externalName: 'app', answers: { roleDependencies: () => answers.shift()! } });
    const spec = { onDelete: { keepIfOwner: true, revokeGrants: true } } as never;
    expect(await reasonToStay(spec, { ...context, isManaged })).toBeUndefined();
    expect(answers).toEqual([]);
  });

  test('waits while a run loads a database for it, as that goes with the run', async () => {
    const beside = 'xdatabase_beside_0123456789abcdef';
    const loading = {
      owned: [{ database: '', objects: [`database ${beside}`], count: 1 }],
      ownedDatabases: [beside],
      databases: [beside],
    };
    await expect(why({ keepIfOwner: true }, loading)).rejects.toMatchObject({
      reason: 'Waiting',
      retryable: true,
      message: expect.stringContaining(`"${beside}", which a Restore or Copy loads`) as string,
    });
    // What a run has replaced and keeps is somebody's data.
    const replaced = { ...loading, ownedDatabases: ['xdatabase_replaced_0123456789abcdef'] };
    expect(await why({ keepIfOwner: true }, replaced)).toMatch('it owns');
  });

  test('waits whatever the words are that the server has for what it owns, and however many come before', async () => {
    const isManaged: PlanContext['isManaged'] = ({ name }) => name === 'zoo';
    const many = {
      owned: [{ database: '', objects: Array.from({ length: 10 }, (_, i) => `Datenbank d${i}`), count: 12 }],
      ownedDatabases: [...Array.from({ length: 11 }, (_, i) => `d${i}`), 'zoo'],
      databases: ['postgres'],
    };
    await expect(why({ keepIfOwner: true }, many, { isManaged })).rejects.toMatchObject({
      reason: 'Waiting',
      message: expect.stringContaining('"zoo"') as string,
    });
  });

  test('has an heir first, when that is there and, on a shared server, of the same tenant', async () => {
    const heir = { keepIfOwner: true, reassignOwnedTo: 'heir' };
    expect(await why(heir, owning)).toBeUndefined();
    expect(await why({ keepIfOwner: true, reassignOwnedTo: 'nobody' }, owning)).toMatch('it owns');
    const tenant = (isOwn: boolean) => ({ tenant: { made: () => isOwn } as unknown as PlanContext['tenant'] & object });
    expect(await why(heir, owning, tenant(true))).toBeUndefined();
    expect(await why(heir, owning, tenant(false))).toMatch('it owns');
  });
});
