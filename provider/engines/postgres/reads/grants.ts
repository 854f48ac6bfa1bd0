/** What grantees hold, read from the catalogs: one statement for all grants of a batch in one database. */
import type {
  AuthorityAcl,
  AuthorityObserved,
  AuthorityQuery,
  GrantOption,
  Reach,
} from '../../../resources/grant-authority.ts';
import { targetWords, withoutColumns } from '../../../resources/grant-target.ts';
import type { GrantObserved, GrantQuery, ObjectTarget, ObjectType } from '../../../resources/model.ts';
import type { ServerInfo } from '../../engine.ts';
import type { ReadSession } from './grants-session.ts';
import { sameArguments } from './grants-routine.ts';
import { grantsSql, readable } from './grants-sql.ts';

/** grantee, column, privilege, grantable, grantor, shadowed; roles by oid, which no name can confuse. */
type Item = [string, string | null, string, boolean, string, boolean];

interface ObjectBody {
  type: ObjectType;
  schema: string | null;
  name: string;
  args: string[] | null;
  owner: string;
  acl: Item[];
  owners: string[];
}

/** What all queries that see an object share. */
interface Found extends ObjectBody {
  itemsOf: Map<string, Item[]>;
  options: GrantOption[] | undefined;
}

interface RoleBody extends Reach {
  oid: string;
  name: string;
}

interface Snapshot {
  current: string;
  databases: Set<string>;
  schemas: Set<string>;
  columns: Set<string>;
  objects: Map<string, Found[]>;
  rolesByOid: Map<string, RoleBody>;
  rolesByName: Map<string, RoleBody>;
  reach: Record<string, Reach>;
}

const PUBLIC_OID = '0';

/**
 * Answers the queries, in their order. The session's database is the one that the queries name; one that does not
 * exist is told as missing, so a session of any other database can answer for it.
 */
export async function readGrants(
  session: ReadSession,
  queries: readonly GrantQuery[],
  info: ServerInfo,
): Promise<GrantObserved[]> {
  const snapshot = await load(session, queries, info);
  return queries.map((query) => answer(query, snapshot, info));
}

async function load(session: ReadSession, queries: readonly AuthorityQuery[], info: ServerInfo): Promise<Snapshot> {
  const targets = queries.flatMap((query) => query.targets);
  const types = new Set(targets.map(({ type }) => type));
  const rows = await session.query(grantsSql(info.versionNumber, types), [JSON.stringify(parameter(queries, targets))]);
  const snapshot: Snapshot = {
    current: '',
    databases: new Set(),
    schemas: new Set(),
    columns: new Set(),
    objects: new Map(),
    rolesByOid: new Map(),
    rolesByName: new Map(),
    reach: {},
  };
  for (const row of rows) collect(snapshot, String(row['kind']), row['body']);
  // One order for everybody: two plans then never wait for each other's locks.
  for (const list of snapshot.objects.values()) list.sort(byName);
  return snapshot;
}

function byName(a: Found, b: Found): number {
  const key = ({ name, args }: Found) => `${name} ${args?.join() ?? ''}`;
  return key(a) < key(b) ? -1 : 1;
}

function parameter(queries: readonly AuthorityQuery[], targets: readonly ObjectTarget[]) {
  const wanted = new Map<string, { type: ObjectType; schema: string | null; name: string }>();
  for (const target of targets) {
    const { type, schema = null } = target;
    const name = nameOf(target);
    wanted.set(JSON.stringify([type, schema, name]), { type, schema, name });
  }
  const names = (of: (query: AuthorityQuery) => string | undefined) => [
    ...new Set(queries.map(of).filter((name) => name !== undefined)),
  ];
  const grantors = names((query) => query.grantor);
  return {
    wanted: [...wanted.values()],
    roles: names(({ grantee }) => (grantee.public === true ? undefined : grantee.name)),
    grantors,
    databases: [...new Set(targets.map(({ database }) => database).filter((name) => name !== undefined))],
    columns: targets.flatMap(({ schema, name, columns }) =>
      (columns ?? []).map((column) => ({ schema, name, column })),
    ),
  };
}

/** What the catalogs call the object. */
function nameOf(target: ObjectTarget): string {
  if (target.type === 'database') return target.database ?? '';
  if (target.type === 'schema') return target.schema ?? '';
  return target.type === 'parameter' ? (target.name ?? '').toLowerCase() : (target.name ?? '');
}

const keyOf = (type: ObjectType, schema: string | null | undefined, name: string): string =>
  JSON.stringify([type, schema ?? null, name]);

function collect(snapshot: Snapshot, kind: string, body: unknown): void {
  if (kind === 'current') snapshot.current = String(body);
  else if (kind === 'database') snapshot.databases.add(String(body));
  else if (kind === 'schema') snapshot.schemas.add(String(body));
  else if (kind === 'column') snapshot.columns.add(JSON.stringify(body));
  else if (kind === 'role') collectRole(snapshot, body as RoleBody & { as: string | null });
  else collectObject(snapshot, body as ObjectBody);
}

function collectRole(snapshot: Snapshot, { as, ...role }: RoleBody & { as: string | null }): void {
  const { inherit, set, borrow } = role;
  snapshot.rolesByOid.set(role.oid, role);
  snapshot.rolesByName.set(role.name, role);
  snapshot.reach[role.name] = { inherit, set, borrow, ...(as === null ? {} : { as }) };
}

function collectObject({ objects }: Snapshot, body: ObjectBody): void {
  const exact = keyOf(body.type, body.schema, body.name);
  const all = keyOf(body.type, body.schema, '*');
  const found: Found = { ...body, itemsOf: Map.groupBy(body.acl, ([grantee]) => grantee), options: undefined };
  for (const key of new Set([exact, all])) {
    const list = objects.get(key);
    if (list === undefined) objects.set(key, [found]);
    else list.push(found);
  }
}

function answer(query: AuthorityQuery, snapshot: Snapshot, info: ServerInfo): AuthorityObserved {
  const { grantee, grantor } = query;
  const granteeOid = grantee.public === true ? PUBLIC_OID : snapshot.rolesByName.get(grantee.name)?.oid;
  const missing = new Set<string>();
  if (grantor !== undefined && !snapshot.rolesByName.has(grantor)) missing.add(`role "${grantor}"`);
  const objects = new Map<Found, AuthorityAcl>();
  for (const target of query.targets)
    for (const body of find(target, snapshot, info, missing))
      if (!objects.has(body)) objects.set(body, aclOf(target, body, granteeOid, snapshot, info));
  return {
    granteeExists: granteeOid !== undefined,
    missing: [...missing],
    objects: [...objects.values()],
    reach: snapshot.reach,
  };
}

function find(target: ObjectTarget, snapshot: Snapshot, info: ServerInfo, missing: Set<string>): Found[] {
  const { type, database, schema, args, columns } = target;
  const absent = (words: string): Found[] => {
    missing.add(words);
    return [];
  };
  if (database !== undefined && !snapshot.databases.has(database))
    return absent(targetWords({ type: 'database', database }));
  if (database !== undefined && type !== 'database' && database !== snapshot.current)
    throw new Error(`grants in database ${database} were asked of a session in ${snapshot.current}`);
  if (schema !== undefined && !snapshot.schemas.has(schema))
    return absent(targetWords({ type: 'schema', schema, ...(database === undefined ? {} : { database }) }));
  const isAll = target.name === '*';
  const all = snapshot.objects.get(keyOf(type, type === 'schema' ? null : schema, nameOf(target))) ?? [];
  const found = args === undefined ? all : all.filter((body) => sameArguments(args, body.args ?? []));
  if (!isAll && (found.length === 0 || !readable(type, info.versionNumber))) return absent(targetWords(target));
  for (const column of columns ?? [])
    if (!snapshot.columns.has(JSON.stringify([schema, target.name, column])))
      missing.add(`column "${column}" of ${targetWords(withoutColumns(target))}`);
  return found;
}

function aclOf(
  target: ObjectTarget,
  found: Found,
  granteeOid: string | undefined,
  snapshot: Snapshot,
  info: ServerInfo,
): AuthorityAcl {
  const place = withoutColumns(target);
  found.options ??= optionsOf(found, snapshot, info);
  const items = granteeOid === undefined ? [] : (found.itemsOf.get(granteeOid) ?? []);
  return {
    target: {
      ...place,
      ...(place.name === undefined ? {} : { name: found.name }),
      ...(found.args === null ? {} : { args: found.args }),
    },
    owner: roleName(found.owner, snapshot),
    privileges: items.map(([, column, privilege, grantable, grantor, shadowed]) => ({
      privilege,
      grantable,
      grantor: roleName(grantor, snapshot),
      ...(column === null ? {} : { column }),
      ...(shadowed ? { shadowed } : {}),
    })),
    options: found.options,
  };
}

const roleName = (oid: string, { rolesByOid }: Snapshot): string => rolesByOid.get(oid)?.name ?? oid;

function optionsOf({ owners, acl }: ObjectBody, snapshot: Snapshot, info: ServerInfo): GrantOption[] {
  const held = acl.filter(
    ([grantee, , , grantable]) => grantable && grantee !== PUBLIC_OID && mayAct(grantee, snapshot, info),
  );
  return [
    ...owners.map((role) => ({ privilege: '*', role })),
    ...held.map(([grantee, column, privilege]) => ({
      privilege,
      role: roleName(grantee, snapshot),
      ...(column === null ? {} : { column }),
    })),
  ];
}

/** A grantee of the batch is in the rows too, and its grant options are nothing to us. */
function mayAct(oid: string, { rolesByOid }: Snapshot, info: ServerInfo): boolean {
  const role = rolesByOid.get(oid);
  return role !== undefined && (role.inherit || role.set || role.borrow || role.name === info.admin.name);
}

export { readDefaultPrivileges } from './default-privileges.ts';
export { readMemberships } from './grants-membership.ts';
