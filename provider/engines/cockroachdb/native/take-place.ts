/**
 * A restored database takes the place of another. Each change of the schema is a transaction of its own there, so every
 * step looks at what is: after a failure anywhere it goes on from there.
 */
import type { Session } from '../../postgres/session.ts';
import { ident, keyword, literal, sql } from '../../postgres/sql.ts';
import { command } from '../command.ts';
import { send } from '../execute.ts';
import { readInventory } from '../reads/inventory.ts';

export interface PlaceOrder {
  beside: string;
  target: string;
  replaced: string;
}

type Inside = <T>(database: string, work: (session: Session) => Promise<T>) => Promise<T>;

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
  admin: <T>(work: (session: Session) => Promise<T>) => Promise<T>,
  inside: Inside,
  { beside, target, replaced }: PlaceOrder,
): Promise<boolean> {
  const found = await admin(async (session) => await find(session, [beside, target, replaced]));
  if (!found.has(beside)) return false;
  // Whoever was there before says whose it is, and what is said about it.
  const before = found.get(replaced) ?? found.get(target);
  if (before !== undefined) await handOver(inside, beside, before);
  await admin(async (session) => {
    // Somebody found the target gone between two renames, and made it anew: RESTRICT keeps it if it holds anything.
    if (found.has(target) && found.has(replaced))
      await send(session, command(sql`DROP DATABASE IF EXISTS ${ident(target)} RESTRICT`));
    if (before !== undefined)
      await send(
        session,
        command(
          before.comment === null
            ? sql`COMMENT ON DATABASE ${ident(beside)} IS NULL`
            : sql`COMMENT ON DATABASE ${ident(beside)} IS ${literal(before.comment)}`,
        ),
      );
    const now = await find(session, [target, replaced]);
    if (now.has(target) && !now.has(replaced))
      await send(session, command(sql`ALTER DATABASE ${ident(target)} RENAME TO ${ident(replaced)}`));
    await send(session, command(sql`ALTER DATABASE ${ident(beside)} RENAME TO ${ident(target)}`));
  });
  return true;
}

const KINDS: Readonly<Record<string, string>> = {
  schema: 'SCHEMA',
  table: 'TABLE',
  view: 'VIEW',
  'materialized view': 'MATERIALIZED VIEW',
  sequence: 'SEQUENCE',
  type: 'TYPE',
  routine: 'FUNCTION',
};

/** Everything restored belongs to whoever restored it. */
async function handOver(inside: Inside, database: string, { owner }: Known): Promise<void> {
  const heir = ident(owner);
  await inside(database, async (session) => {
    const objects = await readInventory(session, [{ type: 'table' }, { type: 'type' }, { type: 'routine' }]);
    for (const object of objects) {
      if (object.owner === owner || (object.type === 'schema' && SYSTEM.has(object.name))) continue;
      const path = object.type === 'schema' ? ident(object.name) : sql`${ident(object.schema)}.${ident(object.name)}`;
      const words = keyword(KINDS[object.relation ?? object.type] ?? '', Object.values(KINDS));
      await send(session, command(sql`ALTER ${words} ${path} OWNER TO ${heir}`));
    }
    await send(session, command(sql`ALTER DATABASE ${ident(database)} OWNER TO ${heir}`));
  });
}

/** Nobody owns these but the server; public belongs to the database. */
const SYSTEM = new Set(['crdb_internal', 'information_schema', 'pg_catalog', 'pg_extension', 'public']);
