/** Default privileges: a statement for all creators of a batch, and one more for each schema. */
import type {
  DefaultPrivilegesObserved,
  DefaultPrivilegesQuery,
  Privilege,
} from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, join, sql } from '../../postgres/sql.ts';
import { COCKROACH_PRIVILEGES } from '../privileges.ts';
import { privilegesOf } from './held.ts';
import { existingRoles } from './roles.ts';

type Row = Record<string, unknown>;

const TYPES: Readonly<Record<string, string>> = {
  table: 'tables',
  sequence: 'sequences',
  type: 'types',
  schema: 'schemas',
  function: 'routines',
};

export async function readDefaultPrivileges(
  session: Session,
  queries: readonly DefaultPrivilegesQuery[],
  info: ServerInfo,
): Promise<DefaultPrivilegesObserved[]> {
  const granteeOf = ({ grantee }: DefaultPrivilegesQuery): string =>
    grantee.public === true ? 'public' : grantee.name;
  const roles = [...new Set(queries.flatMap((query) => [query.creator, granteeOf(query)]))];
  const known = await existingRoles(session, roles);
  known.add('public');
  const schemas = new Set(
    (await session.query('SELECT schema_name FROM [SHOW SCHEMAS]', [])).map((row) => row['schema_name'] as string),
  );
  const creators = [...new Set(queries.map(({ creator }) => creator))].filter((name) => known.has(name));
  const layers = new Map<string, Row[]>();
  const wanted = new Set(
    queries.flatMap(({ schema }) => (schema !== undefined && schemas.has(schema) ? [schema] : [])),
  );
  if (creators.length > 0) {
    const head = sql`SELECT role, object_type, grantee, privilege_type, is_grantable FROM [SHOW DEFAULT PRIVILEGES FOR ROLE ${join(creators.map(ident))}`;
    layers.set('', await session.query(sql`${head}]`.text, []));
    for (const schema of wanted)
      layers.set(schema, await session.query(sql`${head} IN SCHEMA ${ident(schema)}]`.text, []));
  }
  return queries.map((query) => {
    const { database, creator, schema, objectType } = query;
    const grantee = granteeOf(query);
    const missing = [
      ...(known.has(creator) ? [] : [`role "${creator}"`]),
      ...(known.has(grantee) ? [] : [`role "${grantee}"`]),
      ...(schema === undefined || schemas.has(schema) ? [] : [`schema "${schema}" of database "${database}"`]),
    ];
    const layer = (name: string): Privilege[] => {
      const object = COCKROACH_PRIVILEGES.defaults[objectType];
      const rows = (layers.get(name) ?? []).filter(
        (row) => row['role'] === creator && row['grantee'] === grantee && row['object_type'] === TYPES[objectType],
      );
      return object === undefined ? [] : privilegesOf(rows, object, creator, info);
    };
    return { missing, privileges: layer(schema ?? ''), inherited: layer('') };
  });
}
