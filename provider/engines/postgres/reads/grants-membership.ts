/** Memberships of roles in roles: one statement for a batch, on any database. */
import type { MembershipAuthority } from '../../../resources/grant-membership.ts';
import type { MembershipObserved, MembershipQuery } from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { ReadSession } from './grants-session.ts';
import { endsPasswordLogin } from './grants-sql.ts';

interface Row {
  role: boolean;
  group: boolean;
  rows: { admin: boolean; inherit?: boolean; set?: boolean; grantor: string | null }[];
  mayGrant: boolean | null;
  asGrantor: string | null;
  cycle: string[] | null;
  endsPasswordLogin: boolean | null;
}

export async function readMemberships(
  session: ReadSession,
  queries: readonly MembershipQuery[],
  info: ServerInfo,
): Promise<MembershipObserved[]> {
  const rows = await session.query(membershipsSql(info.versionNumber), [JSON.stringify(queries)]);
  const answers = new Map(rows.map((row) => [Number(row['place']), row['body'] as Row]));
  return queries.map((query, i) => answer(query, answers.get(i + 1)!, info));
}

function answer(query: MembershipQuery, row: Row, info: ServerInfo): MembershipAuthority {
  const missing = [...(row.role ? [] : [query.role]), ...(row.group ? [] : [query.memberOf])];
  return {
    missing: missing.map((name) => `role "${name}"`),
    memberships: row.rows.map(({ grantor, ...options }) => ({
      role: query.memberOf,
      ...options,
      ...(grantor === null ? {} : { grantor }),
    })),
    perGrantor: info.versionNumber >= 160_000,
    ...(row.mayGrant === null ? {} : { mayGrant: row.mayGrant }),
    ...(row.asGrantor === null ? {} : { asGrantor: row.asGrantor }),
    ...(row.cycle === null ? {} : { cycle: row.cycle }),
    ...(row.endsPasswordLogin === null ? {} : { endsPasswordLogin: row.endsPasswordLogin }),
  };
}

function membershipsSql(versionNumber: number): string {
  const options = versionNumber >= 160_000;
  const mayGrant = options
    ? `me.rolsuper OR (NOT g.rolsuper AND pg_has_role(me.oid, g.oid, 'MEMBER WITH ADMIN OPTION'))`
    : `me.rolsuper OR (NOT g.rolsuper AND (me.rolcreaterole OR pg_has_role(me.oid, g.oid, 'MEMBER WITH ADMIN OPTION')))`;
  // A superuser grants as the superuser of initdb; others as themselves, or as whoever they have the ADMIN OPTION from.
  const asGrantor = options
    ? `CASE WHEN me.rolsuper THEN (SELECT rolname FROM pg_roles WHERE oid = 10) ELSE
        (SELECT p.rolname FROM pg_auth_members m JOIN pg_roles p ON p.oid = m.member
          WHERE m.roleid = g.oid AND m.admin_option AND pg_has_role(me.oid, m.member, 'USAGE')
          ORDER BY (m.member = me.oid) DESC, m.member LIMIT 1) END`
    : 'NULL::name';
  return `WITH RECURSIVE query AS (
  SELECT place, q->>'role' AS role, q->>'memberOf' AS member_of
  FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS x(q, place)),
me AS (SELECT oid, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user),
pair AS (SELECT q.place, r.oid AS role, g.oid AS grp, r.rolname FROM query q
  LEFT JOIN pg_roles r ON r.rolname = q.role LEFT JOIN pg_roles g ON g.rolname = q.member_of),
-- Upwards from the group: whatever it is a member of cannot become a member of it.
way AS (
  SELECT place, role AS goal, grp AS at, ARRAY[grp] AS seen FROM pair WHERE role IS NOT NULL AND grp IS NOT NULL
  UNION ALL
  SELECT w.place, w.goal, m.roleid, w.seen || m.roleid FROM way w JOIN pg_auth_members m ON m.member = w.at
  WHERE w.at <> w.goal AND NOT m.roleid = ANY (w.seen))
SELECT p.place::int AS place, jsonb_build_object('role', p.role IS NOT NULL, 'group', p.grp IS NOT NULL,
  'rows', (SELECT coalesce(jsonb_agg(jsonb_build_object('admin', m.admin_option,
      ${options ? `'inherit', m.inherit_option, 'set', m.set_option,` : ''} 'grantor', pg_get_userbyid(m.grantor))), '[]')
    FROM pg_auth_members m WHERE m.roleid = p.grp AND m.member = p.role),
  'mayGrant', (${mayGrant}),
  'asGrantor', ${asGrantor},
  'endsPasswordLogin', ${endsPasswordLogin('g.oid')},
  'cycle', (SELECT to_jsonb(ARRAY(SELECT r.rolname FROM unnest(w.seen) WITH ORDINALITY s(oid, n) JOIN pg_roles r USING (oid) ORDER BY n))
    FROM way w WHERE w.place = p.place AND w.at = w.goal ORDER BY cardinality(w.seen) LIMIT 1)) AS body
FROM pair p CROSS JOIN me LEFT JOIN pg_roles g ON g.oid = p.grp`;
}
