/** Default privileges that name a role, as creator or as grantee, in one database. */
import type { Session } from '../../postgres/session.ts';
import { ident, sql } from '../../postgres/sql.ts';
import { truth } from '../rows.ts';

export interface DefaultEntry {
  /** undefined = objects of all roles. */
  creator: string | undefined;
  schema: string | undefined;
  /** tables, sequences, types, schemas, routines. */
  objectType: string;
  grantee: string;
  privilege: string;
  /** Whether the entry is one that was taken away from what every role has, instead of one that was given. */
  isTaken: boolean;
}

/** What every creator has, and gives to everybody, without anybody saying so. */
const OWN = ['schemas', 'sequences', 'tables', 'types', 'routines'];
const OPEN: readonly (readonly [objectType: string, privilege: string])[] = [
  ['types', 'USAGE'],
  ['routines', 'EXECUTE'],
];

/** Entries that keep the role from being dropped. Those that every role has are none of them, but their absence is. */
export async function readDefaultsOf(
  session: Session,
  role: string,
  schemas: readonly string[],
): Promise<DefaultEntry[]> {
  const entries: DefaultEntry[] = [];
  for (const schema of [undefined, ...schemas.filter((name) => !SYSTEM_SCHEMAS.has(name))]) {
    const place = schema === undefined ? sql`` : sql` IN SCHEMA ${ident(schema)}`;
    const columns = sql`SELECT role, for_all_roles, object_type, grantee, privilege_type FROM`;
    const asCreator = await session.query(
      sql`${columns} [SHOW DEFAULT PRIVILEGES FOR ROLE ${ident(role)}${place}]`.text,
      [],
    );
    const asGrantee = await session.query(
      sql`${columns} [SHOW DEFAULT PRIVILEGES FOR GRANTEE ${ident(role)}${place}]`.text,
      [],
    );
    for (const row of [...asCreator, ...asGrantee.filter((candidate) => candidate['role'] !== role)]) {
      const entry = {
        creator: truth(row['for_all_roles']) ? undefined : (row['role'] as string),
        schema,
        objectType: row['object_type'] as string,
        grantee: row['grantee'] as string,
        privilege: row['privilege_type'] as string,
        isTaken: false,
      };
      if (!isImplicit(entry)) entries.push(entry);
    }
    if (schema !== undefined) continue;
    const has = (objectType: string, grantee: string, privilege: string): boolean =>
      asCreator.some(
        (row) => row['object_type'] === objectType && row['grantee'] === grantee && row['privilege_type'] === privilege,
      );
    for (const objectType of OWN)
      if (!has(objectType, role, 'ALL'))
        entries.push({ creator: role, schema, objectType, grantee: role, privilege: 'ALL', isTaken: true });
    for (const [objectType, privilege] of OPEN)
      if (!has(objectType, 'public', privilege))
        entries.push({ creator: role, schema, objectType, grantee: 'public', privilege, isTaken: true });
  }
  return entries;
}

/** Those that every database has, besides public. */
export const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  'crdb_internal',
  'information_schema',
  'pg_catalog',
  'pg_extension',
]);

const isImplicit = ({ creator, schema, objectType, grantee, privilege }: DefaultEntry): boolean =>
  schema === undefined &&
  ((creator === grantee && privilege === 'ALL') ||
    (grantee === 'public' && OPEN.some(([type, open]) => type === objectType && open === privilege)));
