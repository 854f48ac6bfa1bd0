/** Roles with attributes, settings, memberships and marks, in one statement for all names. */
import { Secret } from '../../../common/secret.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { Membership, RoleObserved } from '../../../resources/model/roles.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { readMark } from '../mark.ts';
import type { Session } from '../session.ts';
import { settingsOf, text } from './rows.ts';

const query = ({ versionNumber, admin }: ServerInfo): string => `
SELECT r.rolname, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolcanlogin, r.rolinherit, r.rolreplication, r.rolbypassrls,
  r.rolconnlimit, to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS valid_until,
  r.rolvaliduntil = 'infinity' AS forever, shobj_description(r.oid, 'pg_authid') AS comment,
  ${admin.superUser ? '(SELECT a.rolpassword FROM pg_authid a WHERE a.oid = r.oid)' : 'NULL'} AS verifier,
  (SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0) AS settings,
  (SELECT json_agg(json_build_object('role', g.rolname, 'admin', m.admin_option, 'grantor', pg_get_userbyid(m.grantor)
      ${versionNumber >= 160000 ? ", 'inherit', m.inherit_option, 'set', m.set_option" : ''}) ORDER BY g.rolname)
    FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS member_of
FROM pg_roles r WHERE r.rolname = ANY($1)`;

/** Takes the verifier of a role's password, where the administrator may read it; undefined = it has none. */
export type OnVerifier = (name: string, verifier: Secret | undefined) => void;

export async function readRoles(
  session: Session,
  queries: readonly Reads['role']['query'][],
  info: ServerInfo,
  onVerifier: OnVerifier,
): Promise<(RoleObserved | undefined)[]> {
  const rows = await session.query(query(info), [queries.map(({ name }) => name)]);
  if (info.admin.superUser)
    for (const row of rows) {
      const verifier = row['verifier'] as string | null;
      onVerifier(row['rolname'] as string, verifier === null ? undefined : new Secret(verifier));
    }
  const byName = new Map(rows.map((row) => [row['rolname'] as string, observed(row)]));
  return queries.map(({ name }) => byName.get(name));
}

function observed(row: Record<string, unknown>): RoleObserved {
  const mark = readMark(row['comment'] as string | null);
  return {
    name: row['rolname'] as string,
    attributes: {
      superUser: row['rolsuper'] as boolean,
      createDb: row['rolcreatedb'] as boolean,
      createRole: row['rolcreaterole'] as boolean,
      login: row['rolcanlogin'] as boolean,
      inherit: row['rolinherit'] as boolean,
      replication: row['rolreplication'] as boolean,
      bypassRls: row['rolbypassrls'] as boolean,
    },
    connectionLimit: Number(row['rolconnlimit']),
    settings: settingsOf(row['settings']),
    memberOf: (row['member_of'] ?? []) as (Membership & { grantor: string })[],
    ...(row['forever'] === true ? { validUntil: 'infinity' } : text('validUntil', row['valid_until'])),
    ...(mark === undefined ? {} : { mark }),
  };
}
