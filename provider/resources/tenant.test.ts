import { describe, expect, test } from 'vitest';
import type { Mark } from './model/objects.ts';
import type { Step } from './model/steps.ts';
import type { Plan, PlanContext } from './planner.ts';
import { contextOf, database, ours, role, schema, server, theirs } from './planning.fixture.ts';
import { ownObjects } from './tenant-objects.ts';
import { admitted, withoutStrange } from './tenant-steps.ts';
import type { Tenant } from './tenant.ts';

const tenant: Tenant = {
  made: (_object, mark: Mark | undefined) => mark?.uid === ours.uid,
  mayJoin: (group) => group === 'platform_readers',
  maySet: (setting) => setting === 'app.tenant',
};

/** `own…` carries our mark, `other…` another's, `bare…` none; `absent…` is not there. */
const markOf = (name: string): { mark?: Mark } =>
  name.startsWith('own') ? { mark: ours } : name.startsWith('other') ? { mark: theirs } : {};

const context = (change: Partial<PlanContext> = {}): PlanContext =>
  contextOf({
    tenant,
    answers: {
      role: ({ name }) => (name.startsWith('absent') || name === '' ? undefined : role(name, markOf(name))),
      database: ({ name }) =>
        name.startsWith('absent') ? undefined : database(name, { ...markOf(name), owner: OWNERS[name] ?? 'postgres' }),
      schema: ({ name }) => schema(name, { ...markOf(name), owner: name === 'bare_of_own' ? 'own_role' : 'postgres' }),
      setting: ({ name }) => ({ anybodyMaySet: name === 'work_mem' }),
    },
    ...change,
  });

const OWNERS: Record<string, string> = { bare_of_own: 'own_role', bare_of_nobody: '' };

const planOf = (...steps: Step[]): Plan => ({ exists: true, steps, unchangeable: [], atProvider: {} });
const select = (name: string, grantee = 'own_role', schemaName = 'own_schema'): Step => ({
  kind: 'grant',
  on: { type: 'schema', database: name, schema: schemaName },
  to: { name: grantee },
  privileges: ['USAGE'],
});

describe('a step of a tenant', () => {
  test.each<Step>([
    { kind: 'createDatabase', name: 'absent', owner: 'own_role', template: 'own_db' },
    { kind: 'createDatabase', name: 'absent', template: 'template0' },
    { kind: 'setDatabaseSetting', name: 'own_db', setting: 'work_mem', value: '5MB' },
    { kind: 'setRoleSetting', name: 'own_role', setting: 'app.tenant', value: 'x' },
    { kind: 'dropDatabase', name: 'bare_of_own' },
    { kind: 'alterSchemaOwner', database: 'own_db', name: 'public', owner: 'own_role' },
    { kind: 'dropSchema', database: 'own_db', name: 'bare_of_own', cascade: true },
    { kind: 'grantMembership', role: 'own_role', memberOf: 'platform_readers' },
    { kind: 'reassignOwned', database: 'anything', from: 'own_role', to: 'own_heir' },
    select('own_db'),
    {
      kind: 'revoke',
      on: { type: 'database', database: 'other_db' },
      from: { name: 'own_role' },
      privileges: ['CONNECT'],
    },
    { kind: 'mark', on: { type: 'role', name: 'own_role' }, mark: ours },
  ])('is sent when all that it names is the tenant’s: %j', async (step) => {
    await expect(admitted(planOf(step), context())).resolves.toMatchObject({ steps: [step] });
  });

  test.each<[string, Step]>([
    ['NotYours', { kind: 'createDatabase', name: 'absent', owner: 'bare_role' }],
    ['NotYours', { kind: 'createDatabase', name: 'absent', template: 'bare_db' }],
    ['NotYours', { kind: 'alterDatabase', name: 'bare_db', owner: 'own_role' }],
    ['NotYours', { kind: 'dropDatabase', name: 'other_db' }],
    ['NotYours', { kind: 'dropDatabase', name: 'bare_of_nobody' }],
    ['NotYours', { kind: 'initSQL', database: 'own_db', owner: 'bare_role', sql: 'SELECT 1' }],
    ['SettingNotAllowed', { kind: 'setDatabaseSetting', name: 'own_db', setting: 'log_statement', value: null }],
    ['SettingNotAllowed', { kind: 'setRoleSetting', name: 'own_role', setting: 'app.other', value: 'x' }],
    ['NotYours', { kind: 'alterSchemaOwner', database: 'own_db', name: 'bare_schema', owner: 'own_role' }],
    ['NotYours', { kind: 'createExtension', database: 'own_db', name: 'hstore', schema: 'bare_schema' }],
    ['NotYours', { kind: 'setPassword', name: 'bare_role', password: undefined as never }],
    ['NotYours', { kind: 'grantMembership', role: 'own_role', memberOf: 'other_role' }],
    ['NotYours', { kind: 'reassignOwned', database: 'own_db', from: 'own_role', to: null }],
    ['NotYours', select('other_db')],
    ['NotYours', select('own_db', 'other_role')],
    ['NotYours', select('own_db', 'own_role', 'bare_schema')],
    [
      'NotYours',
      {
        kind: 'revoke',
        on: { type: 'database', database: 'other_db' },
        from: { public: true },
        privileges: ['CONNECT'],
      },
    ],
    ['NotYours', { kind: 'mark', on: { type: 'database', name: 'bare_db' }, mark: ours }],
  ])('is refused with %s: %j', async (reason, step) => {
    await expect(admitted(planOf(step), context())).rejects.toMatchObject({ reason });
    const { tenant: _, ...unshared } = context();
    await expect(admitted(planOf(step), unshared)).resolves.toBeDefined();
  });

  test('is told by the resource alone where a server cannot carry marks', async () => {
    const claimed: Tenant = {
      ...tenant,
      made: ({ kind }, mark, { unmarked }) => mark === undefined && unmarked?.includes(kind) === true,
    };
    const info = { ...context().reader, server: server(18, { unmarked: ['Role'] }) };
    const step: Step = { kind: 'dropRole', name: 'bare_role' };
    await expect(admitted(planOf(step), context({ tenant: claimed, reader: info }))).resolves.toBeDefined();
  });
});

describe('a deletion of a tenant', () => {
  const revoke: Step = {
    kind: 'revoke',
    on: { type: 'database', database: 'own_db' },
    from: { name: 'own_role' },
    privileges: ['CONNECT'],
  };

  test('sends what is its own, and ends with an event about the rest', async () => {
    const plan = await withoutStrange(planOf(revoke, select('other_db')), context());
    expect(plan).toMatchObject({ exists: true, steps: [revoke], notes: [{ reason: 'KeptExternalResource' }] });
  });

  test('drops nothing by half', async () => {
    const plan = await withoutStrange(
      planOf({ kind: 'dropOwned', database: 'own_db', role: 'own_role' }, { kind: 'dropRole', name: 'bare_role' }),
      context(),
    );
    expect(plan).toMatchObject({ exists: false, steps: [] });
  });

  test('waits for another heir rather than dropping what nobody may inherit', async () => {
    const steps: Step[] = [
      { kind: 'reassignOwned', database: 'own_db', from: 'own_role', to: 'other_role' },
      { kind: 'dropOwned', database: 'own_db', role: 'own_role' },
    ];
    await expect(withoutStrange(planOf(...steps), context())).rejects.toMatchObject({ reason: 'NotYours' });
  });
});

describe('objects that a tenant grants on', () => {
  const table = (name: string, owner: string) => ({
    target: { type: 'table' as const, database: 'own_db', schema: 'app', name },
    owner,
    privileges: [],
  });
  const [mine, installed] = [table('mine', 'own_role'), table('installed', 'bare_role')];

  test('are its own: * passes over the others', async () => {
    const all = { type: 'table' as const, database: 'own_db', schema: 'app', name: '*' };
    expect(await ownObjects([mine, installed], [all], context(), tenant)).toEqual([mine]);
  });

  test('and one that is named and is another’s is refused', async () => {
    await expect(ownObjects([mine, installed], [installed.target], context(), tenant)).rejects.toMatchObject({
      reason: 'NotYours',
      message:
        'table "app"."installed" of database "own_db" belongs to "bare_role", which is no role of this namespace, so it is not this namespace\'s to grant',
    });
  });
});
