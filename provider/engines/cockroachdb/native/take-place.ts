/**
 * A restored database takes the place of another. Each change of the schema is a transaction of its own there, so every
 * step looks at what is: after a failure anywhere it goes on from there.
 */
import { codeOf } from '../../postgres/errors.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, keyword, literal, type Sql, sql } from '../../postgres/sql.ts';
import { command } from '../command.ts';
import { pathOf } from '../compile/grants.ts';
import { send } from '../execute.ts';
import type { Placing } from './placing.ts';
import { closeToPublic } from './public-rights.ts';
import { type InventoryObject, readInventory } from '../reads/inventory.ts';

export interface PlaceOrder {
  beside: string;
  target: string;
  replaced: string;
}

interface Known {
  owner: string;
  comment: string | null;
}

const FIND = `SELECT database_name, owner, comment FROM [SHOW DATABASES WITH COMMENT]
  WHERE database_name = ANY($1::text[])`;

async function find(session: Session, names: readonly string[]): Promise<Map<string, Known>> {
  const rows = await session.query(FIND, [names]);
  return new Map(
    rows.map((row) => [
      row['database_name'] as string,
      { owner: row['owner'] as string, comment: (row['comment'] ?? null) as string | null },
    ]),
  );
}

export async function takePlace(
  placing: Placing,
  { beside, target, replaced }: PlaceOrder,
): Promise<'taken' | 'nothing' | 'immovable'> {
  const { admin } = placing;
  const found = await admin(async (session) => await find(session, [beside, target, replaced]));
  if (!found.has(beside)) return 'nothing';
  // Whoever was there before says whose it is, and what is said about it.
  const model = [replaced, target].find((name) => found.has(name));
  if (model !== undefined) {
    await closeToPublic(placing, model, beside);
    await inherit(placing, beside, found.get(model)!);
  }
  return await admin(async (session) => {
    // Somebody found the target gone between two renames, and made it anew: RESTRICT keeps it if it holds anything.
    if (found.has(target) && found.has(replaced))
      await send(session, command(sql`DROP DATABASE IF EXISTS ${ident(target)} RESTRICT`));
    const now = await find(session, [target, replaced]);
    if (now.has(target) && !now.has(replaced) && !(await isRenamed(session, target, replaced))) return 'immovable';
    return (await isRenamed(session, beside, target)) ? 'taken' : 'immovable';
  });
}

/** A database with views is not renamed: they hold its name in their text (2BP01). */
async function isRenamed(session: Session, from: string, to: string): Promise<boolean> {
  try {
    await send(session, command(sql`ALTER DATABASE ${ident(from)} RENAME TO ${ident(to)}`));
    return true;
  } catch (error) {
    if (codeOf(error) === '2BP01') return false;
    throw error;
  }
}

export async function handOver(placing: Placing, { from, to }: { from: string; to: string }): Promise<void> {
  const found = await placing.admin(async (session) => await find(session, [from, to]));
  const before = found.get(from);
  if (before === undefined || !found.has(to)) return;
  await closeToPublic(placing, from, to);
  await inherit(placing, to, before);
}

/** Everything restored belongs to whoever restored it. */
async function inherit({ admin, inside }: Placing, database: string, { owner, comment }: Known): Promise<void> {
  const heir = ident(owner);
  await inside(database, async (session) => {
    // In this order: an heir needs CREATE on what holds the next one.
    await send(session, command(sql`ALTER DATABASE ${ident(database)} OWNER TO ${heir}`));
    const objects = await readInventory(session, [{ type: 'table' }, { type: 'type' }, { type: 'routine' }]);
    for (const object of objects)
      if (object.owner !== owner && !(object.type === 'schema' && SYSTEM.has(object.name)))
        await send(session, command(sql`ALTER ${definition(object)} OWNER TO ${heir}`));
  });
  const text = comment === null ? sql`NULL` : literal(comment);
  await admin(async (session) => {
    await send(session, command(sql`COMMENT ON DATABASE ${ident(database)} IS ${text}`));
  });
}

const KINDS: Readonly<Record<string, string>> = {
  schema: 'SCHEMA',
  table: 'TABLE',
  view: 'VIEW',
  'materialized view': 'MATERIALIZED VIEW',
  sequence: 'SEQUENCE',
  type: 'TYPE',
  function: 'FUNCTION',
  procedure: 'PROCEDURE',
};

function definition({ type, schema, name, relation, routineType, args }: InventoryObject): Sql {
  const words = keyword(KINDS[relation ?? routineType ?? type] ?? '', Object.values(KINDS));
  if (type === 'schema') return sql`${words} ${ident(name)}`;
  return sql`${words} ${pathOf({ type, schema, name, ...(args === undefined ? {} : { args }) })}`;
}

/** Nobody owns these but the server; public belongs to the database. */
const SYSTEM = new Set(['crdb_internal', 'information_schema', 'pg_catalog', 'pg_extension', 'public']);
