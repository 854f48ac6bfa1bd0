/** Which roles accounts have, read from the tables of either flavour: one statement for all of a batch. */
import type { MembershipAuthority } from '../../../resources/grant-membership.ts';
import type { MembershipQuery } from '../../../resources/model/privileges.ts';
import type { Membership } from '../../../resources/model/roles.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { accountText, parseAccount } from '../accounts.ts';
import { MARK_ROLES_PATTERN } from '../mark.ts';
import type { Row, Session } from '../session.ts';
import { join, literal, type Sql, sql } from '../sql.ts';
import { type Found, GrantsSnapshot } from './grants-snapshot.ts';
import { accountArm, arm, serverArm } from './grants-sql.ts';

interface Account {
  name: string;
  host: string;
}
interface Edge {
  group: Account;
  member: Account;
  admin: boolean;
}

/** All memberships there are: from them, cycles are seen. They are few beside the privileges. */
class RoleGraph {
  readonly #edges: Edge[] = [];
  readonly #defaults: [member: Account, role: Account][] = [];
  readonly #snapshot: GrantsSnapshot;
  readonly #info: ServerInfo;

  constructor(rows: readonly Row[], info: ServerInfo) {
    this.#info = info;
    this.#snapshot = new GrantsSnapshot(rows, info);
    for (const row of rows) {
      const data = JSON.parse(String(row['data'])) as (string | null)[];
      const [a = '', b = '', c = '', d = '', e = ''] = data.map((value) => value ?? '');
      if (row['kind'] === 'edge')
        this.#edges.push({ group: { name: a, host: b }, member: { name: c, host: d }, admin: e === 'Y' });
      if (row['kind'] === 'default')
        this.#defaults.push([
          { name: a, host: b },
          { name: c, host: d },
        ]);
    }
  }

  find(text: string): Found | undefined {
    const { name, host } = parseAccount(text);
    return this.#snapshot.find(name, host);
  }

  defaultRoles(member: Found): string[] {
    if (this.#info.engine === 'mariadb') {
      const name = member.defaultRole;
      // MariaDB remembers a default role that was taken away, and it means nothing.
      return name !== undefined && this.way(member, { name, host: '' }) !== undefined ? [name] : [];
    }
    return this.#defaults.filter(([of]) => isSame(of, member)).map(([, role]) => accountText(role));
  }

  memberOf(member: Found): Membership[] {
    const defaults = this.defaultRoles(member);
    return this.#edges
      .filter((edge) => isSame(edge.member, member))
      .map(({ group, admin }) => {
        const role = accountText(group);
        return { role, admin, inherit: isRole(member) || defaults.includes(role) };
      });
  }

  /** The way by which `group` is a member of `role` already. */
  way(group: Account, role: Account, seen: ReadonlySet<string> = new Set()): string[] | undefined {
    const name = accountText(group);
    if (isSame(group, role)) return [name];
    if (seen.has(name)) return undefined;
    for (const edge of this.#edges)
      if (isSame(edge.member, group)) {
        const rest = this.way(edge.group, role, new Set([...seen, name]));
        if (rest !== undefined) return [name, ...rest];
      }
    return undefined;
  }
}

/** A role of MariaDB has the rights of its roles at once, and no list of defaults. */
const isRole = (account: Account): boolean => account.host === '';

const isSame = (a: Account, b: Account): boolean => a.name === b.name && a.host.toLowerCase() === b.host.toLowerCase();

/** Reads what is known of these user names, and every membership. */
async function readRoleGraph(
  session: Pick<Session, 'query'>,
  names: Iterable<string>,
  info: ServerInfo,
): Promise<RoleGraph> {
  const users = [...new Set(names)];
  const who = users.length === 0 ? sql`FALSE` : sql`User IN (${join(users.map(literal))})`;
  const arms = [serverArm(info), accountArm(info, who), ...edgeArms(info)];
  return new RoleGraph(await session.query(arms.reduce((all, one) => sql`${all} UNION ALL ${one}`)), info);
}

function edgeArms({ engine }: ServerInfo): Sql[] {
  if (engine === 'mariadb')
    return [
      arm(
        'edge',
        sql`Role, '', User, Host, Admin_option`,
        sql`mysql.roles_mapping`,
        sql`Role NOT LIKE ${literal(MARK_ROLES_PATTERN)}`,
      ),
    ];
  return [
    arm('edge', sql`FROM_USER, FROM_HOST, TO_USER, TO_HOST, WITH_ADMIN_OPTION`, sql`mysql.role_edges`, sql`TRUE`),
    arm('default', sql`USER, HOST, DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST`, sql`mysql.default_roles`, sql`TRUE`),
  ];
}

/** Answers the queries, in their order. */
export async function readMemberships(
  session: Pick<Session, 'query'>,
  queries: readonly MembershipQuery[],
  info: ServerInfo,
): Promise<MembershipAuthority[]> {
  const names = queries.flatMap(({ role, memberOf }) => [role, memberOf].map((text) => parseAccount(text).name));
  const graph = await readRoleGraph(session, names, info);
  return queries.map(({ role, memberOf }) => {
    const member = graph.find(role);
    const group = graph.find(memberOf);
    const missing = [member === undefined ? role : [], group === undefined ? memberOf : []].flat();
    if (member === undefined || group === undefined)
      return { missing: missing.map((name) => `role "${name}"`), memberships: [] };
    const text = accountText(group);
    const cycle = graph.way(group, member);
    return {
      missing: [],
      memberships: graph.memberOf(member).filter((membership) => membership.role === text),
      // The group is called as the query calls it.
      ...(isRole(member)
        ? {}
        : { defaultRoles: graph.defaultRoles(member).map((name) => (name === text ? memberOf : name)) }),
      ...(cycle === undefined ? {} : { cycle }),
    };
  });
}
