/** What everybody may do in a restored database: RESTORE brings no grants, so that it has those of a new one. */
import type { Session } from '../../postgres/session.ts';
import { ident, join, keyword, type Sql, sql } from '../../postgres/sql.ts';
import { command } from '../command.ts';
import { send } from '../execute.ts';
import { COCKROACH_PRIVILEGES } from '../privileges.ts';
import type { Placing } from './placing.ts';

const KNOWN = ['database', 'schema'].flatMap((type) =>
  (COCKROACH_PRIVILEGES.objects[type as 'database' | 'schema']?.privileges ?? []).map(({ name }) => name),
);

/** Takes from PUBLIC in `to` what it may not do in `from`: nobody waits at the door for the next look of a Grant. */
export async function closeToPublic({ admin, inside }: Placing, from: string, to: string): Promise<void> {
  const database = (name: string): Sql => sql`DATABASE ${ident(name)}`;
  const schema = sql`SCHEMA public`;
  const [before, after] = await admin(async (session) => [
    await rightsOf(session, database(from)),
    await rightsOf(session, database(to)),
  ]);
  await admin(async (session) => {
    await revoke(session, after, before, database(to));
  });
  const inFrom = await inside(from, async (session) => await rightsOf(session, schema));
  await inside(to, async (session) => {
    await revoke(session, await rightsOf(session, schema), inFrom, schema);
  });
}

async function rightsOf(session: Session, on: Sql): Promise<Set<string>> {
  const text = sql`SELECT privilege_type FROM [SHOW GRANTS ON ${on}] WHERE grantee = 'public'`;
  const rows = await session.query(text.text, []);
  return new Set(rows.map((row) => String(row['privilege_type']).toUpperCase()));
}

async function revoke(session: Session, held: Set<string>, kept: Set<string>, on: Sql): Promise<void> {
  const surplus = [...held].filter((privilege) => !kept.has(privilege));
  if (surplus.length === 0) return;
  const words = join(surplus.map((privilege) => keyword(privilege, KNOWN)));
  await send(session, command(sql`REVOKE ${words} ON ${on} FROM public`));
}
