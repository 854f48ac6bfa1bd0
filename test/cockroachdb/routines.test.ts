/** Functions and procedures: several of one name, and types that have many names. */
import { beforeAll, expect, test } from 'vitest';
import { onEveryVersion } from './world.ts';

onEveryVersion('Grants on routines', (world) => {
  let database = '';
  const EXECUTE = ['EXECUTE'];

  beforeAll(async () => {
    database = world().name('routines');
    for (const of of ['maker', 'caller']) await world().role(of, {}, 'pw').reconcile();
    await world()
      .database('routines', { owner: world().name('maker') })
      .reconcile();
    for (const statement of [
      'CREATE FUNCTION public.f(a INT8) RETURNS INT8 LANGUAGE SQL AS $$ SELECT a $$',
      'CREATE FUNCTION public.f(a DECIMAL(10,2), b VARCHAR) RETURNS INT8 LANGUAGE SQL AS $$ SELECT 1 $$',
      'CREATE FUNCTION public.f() RETURNS INT8 LANGUAGE SQL AS $$ SELECT 0 $$',
      'CREATE PROCEDURE public.p(a TIMESTAMPTZ, b TEXT[]) LANGUAGE SQL AS $$ SELECT 1 $$',
    ])
      await world().as('maker', 'pw', statement, database);
    // Everybody may call what is new, until that is taken away.
    const all = await world().reader();
    const { objects } = await all.read('grant', {
      grantee: { public: true },
      targets: [{ type: 'routine', database, schema: 'public', name: '*' }],
    });
    expect(objects.map(({ privileges }) => privileges.map(({ privilege }) => privilege))).toEqual(
      objects.map(() => EXECUTE),
    );
  });

  const on = (routines: object[], privileges: string[] = EXECUTE) =>
    world().grant({ database, schema: 'public', routines, role: world().name('caller'), privileges });
  const holders = async (): Promise<string[]> =>
    (
      await world().sql<{ object_name: string }>(
        `SELECT object_name FROM [SHOW GRANTS FOR {caller}] WHERE grantee = '${world().name('caller')}' AND object_type = 'routine'`,
        database,
      )
    ).map(({ object_name: name }) => name);

  test.each([
    ['f', ['bigint']],
    ['f', ['NUMERIC', 'character varying']],
    ['f', []],
    ['p', ['timestamp with time zone', 'string[]']],
  ])('%s(%j) is one of them, whatever its types are called', async (name, args) => {
    const story = on([{ name, args }]);
    expect(await story.reconcile()).toHaveLength(1);
    expect(await holders()).toHaveLength(1);
    await story.delete();
    expect(await holders()).toEqual([]);
  });

  test('a name that several have is refused, with what they take', async () => {
    await expect(on([{ name: 'f' }]).plan()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringMatching(/choose one by args: .*\(int8\)/) as unknown,
    });
  });

  test('all of a schema, functions and procedures', async () => {
    const every = on([{ name: '*' }]);
    await every.reconcile();
    expect(await holders()).toHaveLength(4);
    await every.delete();
    expect(await holders()).toEqual([]);
  });

  test('everybody may no longer call what is new, when the default says so (B46)', async () => {
    const story = world().defaults({
      database,
      targetRole: world().name('maker'),
      role: 'PUBLIC',
      objectType: 'function',
      privileges: [],
    });
    expect(await story.reconcile()).toMatchObject([{ kind: 'revokeDefault', privileges: EXECUTE }]);
    await world().as(
      'maker',
      'pw',
      'CREATE FUNCTION public.mine() RETURNS INT8 LANGUAGE SQL AS $$ SELECT 5 $$',
      database,
    );
    expect(await world().codeAs('caller', 'pw', 'SELECT public.mine()', database)).toBe('42501');
    expect(await world().codeAs('caller', 'pw', 'SELECT public.f()', database)).toBe('');
    await story.delete();
  });
});
