/** Roles with their options, settings and memberships; one statement each for all names. */
import type { MembershipAuthority } from '../../../resources/grant-membership.ts';
import type { Setting } from '../../../resources/model/databases.ts';
import type { MembershipObserved } from '../../../resources/model/privileges.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { Membership, RoleObserved } from '../../../resources/model/roles.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Session } from '../../postgres/session.ts';
import { refuseRoleName } from '../names.ts';
import { settingsOf, textArray, truth } from '../rows.ts';
import { timestamp } from '../../../common/timestamp.ts';

const ROLES = 'SELECT username, options FROM [SHOW ROLES] WHERE username = ANY($1::text[])';
const MEMBERSHIPS = 'SELECT role_name, member, is_admin FROM [SHOW GRANTS ON ROLE]';
const SETTINGS = `SELECT r.rolname AS name, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  WHERE s.setdatabase = 0 AND r.rolname = ANY($1::text[])`;

type Held = Membership & { grantor?: string };

/** Who is in which group; the options of memberships that only PostgreSQL has are always on. */
async function memberships(session: Session): Promise<(Held & { member: string })[]> {
  return (await session.query(MEMBERSHIPS, [])).map((row) => ({
    role: row['role_name'] as string,
    member: row['member'] as string,
    admin: truth(row['is_admin']),
    inherit: true,
    set: true,
  }));
}

export async function readRoles(
  session: Session,
  queries: readonly Reads['role']['query'][],
): Promise<(RoleObserved | undefined)[]> {
  for (const { name } of queries) refuseRoleName(name);
  const names = queries.map(({ name }) => name);
  const rows = await session.query(ROLES, [names]);
  if (rows.length === 0) return queries.map(() => undefined);
  const groups = await memberships(session);
  const settings = new Map<string, Setting[]>(
    (await session.query(SETTINGS, [names])).map((row) => [row['name'] as string, settingsOf(row['settings'])]),
  );
  const byName = new Map(rows.map((row) => [row['username'] as string, textArray(row['options'])]));
  return names.map((name) => {
    const options = byName.get(name);
    if (options === undefined) return undefined;
    const memberOf = groups.filter(({ member }) => member === name).map(({ member: _member, ...held }) => held);
    return observed(name, options, memberOf, settings.get(name) ?? []);
  });
}

const UNTIL = /^VALID UNTIL=(.+)$/;

function observed(name: string, options: readonly string[], memberOf: Held[], settings: Setting[]): RoleObserved {
  const until = options.map((option) => UNTIL.exec(option)?.[1]).find((value) => value !== undefined);
  return {
    name,
    attributes: {
      superUser: memberOf.some(({ role }) => role === 'admin'),
      createDb: options.includes('CREATEDB'),
      createRole: options.includes('CREATEROLE'),
      login: !options.includes('NOLOGIN'),
      inherit: true,
      replication: options.includes('REPLICATION'),
      bypassRls: options.includes('BYPASSRLS'),
    },
    settings,
    memberOf,
    ...(until === undefined ? {} : { validUntil: isoTime(until) }),
  };
}

/** As specs write it; `2027-01-01 00:00:00+00:00` is how the server does. */
function isoTime(text: string): string {
  const time = new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  return Number.isNaN(time.getTime()) ? text : timestamp(time);
}

/** Of those names, the ones that are roles. */
export async function existingRoles(session: Session, names: readonly string[]): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  return new Set((await session.query(ROLES, [names])).map((row) => row['username'] as string));
}

export async function readMemberships(
  session: Session,
  queries: readonly Reads['membership']['query'][],
  info: ServerInfo,
): Promise<MembershipObserved[]> {
  const known = await existingRoles(session, [...new Set(queries.flatMap(({ role, memberOf }) => [role, memberOf]))]);
  const all = await memberships(session);
  return queries.map(({ role, memberOf }): MembershipAuthority => {
    const cycle = way(all, memberOf, role);
    return {
      missing: [role, memberOf].filter((name) => !known.has(name)).map((name) => `role ${JSON.stringify(name)}`),
      memberships: all
        .filter((held) => held.member === role && held.role === memberOf)
        .map(({ member: _member, ...held }) => held),
      perGrantor: false,
      ...(info.admin.superUser ? { mayGrant: true } : {}),
      ...(cycle === undefined ? {} : { cycle }),
    };
  });
}

/** The shortest way upwards from one role to another, both included. */
function way(all: readonly { role: string; member: string }[], from: string, to: string): string[] | undefined {
  const ways = [[from]];
  const seen = new Set([from]);
  for (const path of ways) {
    const last = path.at(-1);
    if (last === to) return path;
    for (const { role, member } of all)
      if (member === last && !seen.has(role)) {
        seen.add(role);
        ways.push([...path, role]);
      }
  }
  return undefined;
}
