import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grant, GrantParameters } from '../api/grant.ts';
import { POSTGRES_PRIVILEGES } from '../engines/postgres/privileges.ts';
import type { AuthorityAcl, AuthorityObserved, Reach } from './grant-authority.ts';
import { GrantPlanner } from './grant.ts';
import type { Grantee } from './model/objects.ts';
import type { GrantQuery } from './model/privileges.ts';
import type { Step } from './model/steps.ts';
import type { PlanContext, Reader } from './planner.ts';

interface Row {
  grantee: string;
  column: string | undefined;
  privilege: string;
  grantable: boolean;
  grantor: string;
}
interface Table {
  name: string;
  owner: string;
  rows: Row[];
}

const FREE: Reach = { inherit: true, set: true, borrow: false };
const nameOf = (grantee: Grantee) => (grantee.public === true ? 'PUBLIC' : grantee.name);
const show = (row: Row) => JSON.stringify([row.grantee, row.column ?? null, row.privilege, row.grantor]);

/** Tables with ACLs that behave as PostgreSQL's do under an administrator who may act as anybody. */
class Server {
  readonly tables: Table[];

  constructor(tables: Table[]) {
    this.tables = tables.map((table) => ({ ...table, rows: unique(table.rows) }));
  }

  read(query: GrantQuery): AuthorityObserved {
    const objects: AuthorityAcl[] = [];
    const missing: string[] = [];
    for (const { name } of query.targets) {
      const found = this.tables.filter((table) => name === '*' || table.name === name);
      if (found.length === 0 && name !== '*') missing.push(`table ${name}`);
      for (const table of found)
        if (!objects.some((acl) => acl.target.name === table.name))
          objects.push({
            target: { type: 'table', database: 'd', schema: 's', name: table.name },
            owner: table.owner,
            privileges: table.rows
              .filter((row) => row.grantee === nameOf(query.grantee))
              .map(({ column, privilege, grantable, grantor }) => ({
                privilege,
                grantable,
                grantor,
                ...(column === undefined ? {} : { column }),
              })),
            options: [{ privilege: '*', role: table.owner }],
          });
    }
    return {
      granteeExists: true,
      missing,
      objects,
      reach: { admin: FREE, owner: FREE, other: FREE, r1: FREE, r2: FREE },
    };
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.kind !== 'grant' && step.kind !== 'revoke') throw new Error(`unexpected step ${step.kind}`);
      const table = this.tables.find(({ name }) => name === step.on.name)!;
      const grantor = step.grantor ?? table.owner;
      for (const column of step.on.columns ?? [undefined])
        for (const privilege of step.privileges)
          if (step.kind === 'grant')
            this.#grant(table, nameOf(step.to), column, privilege, grantor, step.withGrantOption);
          else this.#revoke(table, nameOf(step.from), column, privilege, grantor, step.grantOptionOnly);
    }
  }

  #grant(
    table: Table,
    grantee: string,
    column: string | undefined,
    privilege: string,
    grantor: string,
    option = false,
  ) {
    const row = { grantee, column, privilege, grantable: option, grantor };
    const same = table.rows.find((other) => show(other) === show(row));
    if (same === undefined) table.rows.push(row);
    else same.grantable ||= option;
  }

  #revoke(
    table: Table,
    grantee: string,
    column: string | undefined,
    privilege: string,
    grantor: string,
    option = false,
  ) {
    const isHit = (row: Row) =>
      row.grantee === grantee &&
      row.privilege === privilege &&
      row.grantor === grantor &&
      (column === undefined || row.column === column);
    if (option) for (const row of table.rows.filter(isHit)) row.grantable = false;
    else table.rows = table.rows.filter((row) => !isHit(row));
  }
}

const unique = (rows: Row[]): Row[] => [...new Map(rows.map((row) => [show(row), { ...row }])).values()];

const TABLE_WORDS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const COLUMN_WORDS = ['SELECT', 'INSERT', 'UPDATE'];
const row = fc
  .record({
    grantee: fc.constantFrom('r1', 'r2', 'PUBLIC'),
    column: fc.constantFrom(undefined, undefined, 'a', 'b'),
    privilege: fc.constantFrom(...TABLE_WORDS),
    grantable: fc.boolean(),
    grantor: fc.constantFrom('owner', 'owner', 'other'),
  })
  .map((r) => ({
    ...r,
    grantable: r.grantable && r.grantee !== 'PUBLIC',
    privilege: r.column !== undefined && r.privilege === 'DELETE' ? 'SELECT' : r.privilege,
  }));
const tables = fc.tuple(fc.array(row, { maxLength: 8 }), fc.array(row, { maxLength: 8 })).map(([one, two]) => [
  { name: 't1', owner: 'owner', rows: one },
  { name: 't2', owner: 'owner', rows: two },
]);
const spec = (role: string): fc.Arbitrary<GrantParameters> =>
  fc
    .record({
      names: fc.constantFrom<string[]>(['*'], ['t1'], ['t2'], ['t1', 't2']),
      columns: fc.constantFrom<(string[] | undefined)[]>(undefined, undefined, ['a'], ['a', 'b']),
      privileges: fc.subarray(TABLE_WORDS),
      withOption: fc.boolean(),
      exclusive: fc.boolean(),
    })
    .map(({ names, columns, privileges, withOption, exclusive }) => {
      const byColumn = columns !== undefined && names.length === 1 && names[0] !== '*';
      return {
        role,
        database: 'd',
        schema: 's',
        tables: names,
        ...(byColumn ? { columns } : {}),
        privileges: byColumn ? privileges.filter((p) => COLUMN_WORDS.includes(p)) : privileges,
        ...(withOption && role !== 'PUBLIC' ? { withOption } : {}),
        ...(exclusive ? { exclusive } : {}),
      };
    });
const story = fc
  .constantFrom('r1', 'PUBLIC', 'owner')
  .chain((role) =>
    fc.record({ role: fc.constant(role), tables, specs: fc.array(spec(role), { minLength: 1, maxLength: 3 }) }),
  );

const planner = new GrantPlanner({ postgres: POSTGRES_PRIVILEGES });
const grant = (forProvider: GrantParameters) => ({ spec: { forProvider } }) as unknown as Grant;

function contextOf(server: Server, owned: boolean, applied: unknown): PlanContext {
  const admin = { name: 'admin', superUser: true, createRole: true, createDb: true };
  const info = { engine: 'postgres', product: 'PostgreSQL 18', versionNumber: 180_000, major: 18, admin };
  const reader = { server: info, read: (_: string, query: GrantQuery) => Promise.resolve(server.read(query)) };
  return {
    reader: reader as unknown as Reader,
    owned,
    applied,
    now: new Date(0),
    externalName: '',
    mark: { uid: '', resource: '' },
  };
}

/** Whether a spec speaks of the slot that a row is in. */
function covers(s: GrantParameters, table: string, r: Row): boolean {
  return (
    (s.tables!.includes('*') || s.tables!.includes(table)) && (s.columns ?? [undefined]).includes(r.column as never)
  );
}

describe('any series of specs on any ACL', () => {
  test('ends with what the last one asks for, plans nothing more, touches nothing undeclared, and leaves when deleted', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (s) => {
        const server = new Server(s.tables);
        const before = structuredClone(server.tables);
        let applied: unknown;
        for (const [i, forProvider] of s.specs.entries()) {
          const plan = await planner.plan(grant(forProvider), contextOf(server, i > 0, applied));
          server.run(plan.steps);
          const again = await planner.plan(grant(forProvider), contextOf(server, true, plan.applied));
          expect(again).toMatchObject({ exists: true, steps: [], applied: plan.applied });
          applied = plan.applied;
        }
        expectHeld(server, s.role, s.specs.at(-1)!);
        expectUntouched(before, server.tables, s.role, s.specs);
        const gone = await planner.planDelete(grant(s.specs.at(-1)!), contextOf(server, true, applied));
        server.run(gone.steps);
        expectUntouched(before, server.tables, s.role, s.specs);
        const still = await planner.planDelete(grant(s.specs.at(-1)!), contextOf(server, true, applied));
        expect(still).toMatchObject({ exists: false, steps: [] });
        if (s.role !== 'owner') expectGone(server, s.role, s.specs.at(-1)!);
      }),
      { numRuns: 1000 },
    );
  });
});

function expectHeld(server: Server, role: string, last: GrantParameters): void {
  for (const table of server.tables)
    for (const column of last.columns ?? [undefined]) {
      const isOn = (r: Row) => r.column === column || (role === 'owner' && r.column === undefined);
      const rows = table.rows.filter((r) => r.grantee === role && isOn(r));
      const held = new Set(rows.map((r) => r.privilege));
      if (!(last.tables!.includes('*') || last.tables!.includes(table.name))) continue;
      expect([...held]).toEqual(expect.arrayContaining(last.privileges!));
      if (role === 'owner') continue;
      if (last.exclusive) expect([...held].toSorted()).toEqual(last.privileges!.toSorted());
      if (last.withOption)
        for (const privilege of last.privileges!)
          expect(rows.some((r) => r.privilege === privilege && r.grantable)).toBe(true);
      else if (last.exclusive) expect(rows.filter((r) => r.grantable)).toEqual([]);
    }
}

function expectUntouched(before: Table[], after: Table[], role: string, specs: GrantParameters[]): void {
  const isFree = (table: string) => (r: Row) =>
    r.grantee !== role ||
    specs.every(
      (s) => !covers(s, table, r) || (!s.exclusive && (!s.privileges!.includes(r.privilege) || r.grantor !== 'owner')),
    );
  for (const [i, table] of before.entries()) {
    const free = (rows: Row[]) =>
      rows
        .filter(isFree(table.name))
        .map((r) => `${show(r)} ${r.grantable}`)
        .toSorted();
    expect(free(after[i]!.rows)).toEqual(free(table.rows));
  }
}

function expectGone(server: Server, role: string, last: GrantParameters): void {
  for (const table of server.tables)
    expect(
      table.rows.filter(
        (r) =>
          r.grantee === role &&
          r.grantor === 'owner' &&
          covers(last, table.name, r) &&
          last.privileges!.includes(r.privilege),
      ),
    ).toEqual([]);
}
