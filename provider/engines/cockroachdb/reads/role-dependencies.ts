/** What keeps a role from being dropped: what it owns or holds in every database, and its schedules. */
import type { Reads } from '../../../resources/model/reads.ts';
import type { RoleDependencies } from '../../../resources/model/roles.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, sql } from '../../postgres/sql.ts';
import { type InventoryObject, readInventory } from './inventory.ts';
import { type DefaultEntry, readDefaultsOf } from './role-defaults.ts';
import { existingRoles } from './roles.ts';

type Work<T> = (session: Session) => Promise<T>;

interface Sessions {
  admin<T>(work: Work<T>): Promise<T>;
  inside<T>(database: string, work: Work<T>): Promise<T>;
}

/** Objects that are named; the rest is counted. */
const NAMED = 10;

const KINDS = [{ type: 'table' }, { type: 'type' }, { type: 'routine' }] as const;

/** Nothing in the system's own database belongs to anybody. */
const DATABASES = "SELECT database_name, owner FROM [SHOW DATABASES] WHERE database_name <> 'system'";

interface InDatabase {
  owned: Map<string, string[]>;
  touched: Set<string>;
}

/** One session after another: there may be no more than one. */
export async function readRoleDependencies(
  sessions: Sessions,
  queries: readonly Reads['roleDependencies']['query'][],
): Promise<RoleDependencies[]> {
  const { names, databases, schedules } = await sessions.admin(async (session) => {
    const known = [
      ...(await existingRoles(
        session,
        queries.map(({ name }) => name),
      )),
    ];
    return {
      names: known,
      databases: await session.query(DATABASES, []),
      schedules: known.length === 0 ? [] : await schedulesOf(session, known),
    };
  });
  const found = new Map<string, InDatabase>();
  if (names.length > 0)
    for (const { database_name: database } of databases as unknown as { database_name: string }[])
      found.set(database, await sessions.inside(database, async (session) => await lookInside(session, names)));
  return queries.map(({ name }) => {
    const own = databases.filter((row) => row['owner'] === name).map((row) => row['database_name'] as string);
    const shared = [
      ...own.map((database) => `database ${database}`),
      ...schedules.filter(({ owner }) => owner === name).map(({ words }) => words),
    ];
    const within = [...found].filter(([, { touched, owned }]) => touched.has(name) || owned.has(name));
    return {
      ownedDatabases: own,
      databases: [...new Set([...own, ...within.map(([database]) => database)])],
      owned: [
        ...(shared.length === 0 ? [] : [{ database: '', objects: shared.slice(0, NAMED), count: shared.length }]),
        ...within.flatMap(([database, { owned }]) => {
          const objects = owned.get(name) ?? [];
          return objects.length === 0 ? [] : [{ database, objects: objects.slice(0, NAMED), count: objects.length }];
        }),
      ],
    };
  });
}

async function lookInside(session: Session, names: readonly string[]): Promise<InDatabase> {
  const result: InDatabase = { owned: new Map(), touched: new Set() };
  const inventory = await readInventory(session, KINDS);
  for (const object of inventory)
    if (names.includes(object.owner))
      result.owned.set(object.owner, [...(result.owned.get(object.owner) ?? []), wordsOf(object)]);
  const schemas = inventory.filter(({ type }) => type === 'schema').map(({ name }) => name);
  for (const name of names) {
    const text = sql`SELECT object_type FROM [SHOW GRANTS FOR ${ident(name)}] WHERE grantee = `.text;
    const grants = await session.query(`${text}$1 AND object_type <> 'external_connection'`, [name]);
    const defaults: DefaultEntry[] = await readDefaultsOf(session, name, schemas);
    if (grants.length > 0 || defaults.length > 0) result.touched.add(name);
  }
  return result;
}

const wordsOf = ({ type, schema, name }: InventoryObject): string =>
  type === 'schema' ? `schema ${name}` : `${type} ${schema}.${name}`;

export async function schedulesOf(
  session: Session,
  owners: readonly string[],
): Promise<{ id: string; owner: string; words: string }[]> {
  const rows = await session.query('SELECT id, label, owner FROM [SHOW SCHEDULES] WHERE owner = ANY($1::text[])', [
    owners,
  ]);
  return rows.map((row) => ({
    id: String(row['id']),
    owner: row['owner'] as string,
    words: `schedule ${String(row['id'])} (${String(row['label'])})`,
  }));
}
