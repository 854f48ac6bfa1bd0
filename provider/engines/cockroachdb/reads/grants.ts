/**
 * What grantees hold: by SHOW GRANTS, as the catalogs of PostgreSQL are empty there before v26.2. `FOR role` also lists
 * what reaches a role by its groups, under the name of the group, so only rows that name the grantee itself count.
 */
import type { AuthorityQuery } from '../../../resources/grant-authority.ts';
import { targetWords } from '../../../resources/grant-target.ts';
import type { ObjectTarget } from '../../../resources/model/objects.ts';
import type { AclObserved, GrantObserved } from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, join, keyword, sql } from '../../postgres/sql.ts';
import { COCKROACH_PRIVILEGES } from '../privileges.ts';
import { plainType, splitArguments } from '../types.ts';
import { privilegesOf } from './held.ts';
import { type InventoryObject, readInventory } from './inventory.ts';
import { existingRoles } from './roles.ts';

type Row = Record<string, unknown>;

const grantees = (names: readonly string[]) =>
  join(names.map((name) => (name === 'public' ? keyword('public', ['public']) : ident(name))));

export async function readGrants(
  session: Session,
  queries: readonly AuthorityQuery[],
  info: ServerInfo,
): Promise<GrantObserved[]> {
  const wanted = queries.map(({ grantee }) => (grantee.public === true ? 'public' : grantee.name));
  const grantors = queries.flatMap(({ grantor }) => grantor ?? []);
  const known = await existingRoles(session, [...new Set([...wanted, ...grantors])]);
  known.add('public');
  const present = [...new Set(wanted)].filter((name) => known.has(name));
  const targets = queries.flatMap((query) => query.targets);
  const has = (test: (target: ObjectTarget) => boolean): boolean => targets.some(test);
  const databases = await ownersOfDatabases(session, targets);
  const inDatabase = has(({ type }) => type !== 'database' && type !== 'global');
  const inventory = inDatabase ? await readInventory(session, targets) : [];
  const rows: Row[] = [];
  if (present.length > 0) {
    if (has(({ type }) => type === 'global')) {
      const text = sql`SELECT grantee, privilege_type, is_grantable FROM [SHOW SYSTEM GRANTS FOR ${grantees(present)}]`;
      for (const row of await session.query(text.text, [])) rows.push({ ...row, object_type: 'global' });
    }
    const named = [...databases.keys()].filter((name) =>
      targets.some((t) => t.type === 'database' && t.database === name),
    );
    if (named.length > 0) {
      const text = sql`SELECT database_name, grantee, privilege_type, is_grantable FROM [SHOW GRANTS ON DATABASE ${join(named.map(ident))}]`;
      for (const row of await session.query(text.text, [])) rows.push({ ...row, object_type: 'database' });
    }
    if (inventory.length > 0) {
      const text = sql`SELECT schema_name, object_name, object_type, grantee, privilege_type, is_grantable FROM [SHOW GRANTS FOR ${grantees(present)}] WHERE object_type IN ('schema', 'table', 'sequence', 'type', 'routine')`;
      rows.push(...(await session.query(text.text, [])));
    }
  }
  const held = Map.groupBy(rows, (row) => rowKey(row));
  return queries.map((query, i) => answer(query, { known, databases, inventory, held, grantee: wanted[i]!, info }));
}

/** Every database that targets name and that is there, with its owner. */
async function ownersOfDatabases(session: Session, targets: readonly ObjectTarget[]): Promise<Map<string, string>> {
  const names = [...new Set(targets.flatMap(({ database }) => database ?? []))];
  if (names.length === 0) return new Map();
  const text = 'SELECT database_name, owner FROM [SHOW DATABASES] WHERE database_name = ANY($1::text[])';
  const rows = await session.query(text, [names]);
  return new Map(rows.map((row) => [row['database_name'] as string, row['owner'] as string]));
}

const key = (...parts: unknown[]): string => JSON.stringify(parts);

/** Rows of one grantee on one object. */
function rowKey(row: Row): string {
  const type = row['object_type'];
  const { grantee } = row;
  if (type === 'global') return key(grantee, 'global');
  if (type === 'database') return key(grantee, 'database', row['database_name']);
  if (type === 'schema') return key(grantee, 'schema', row['schema_name']);
  const name = String(row['object_name']);
  if (type !== 'routine') return key(grantee, 'relation or type', row['schema_name'], name);
  const [, routine = name, args = ''] = /^(.*?)\((.*)\)$/s.exec(name) ?? [];
  return key(grantee, 'routine', row['schema_name'], routine, splitArguments(args).map(plainType));
}

interface Known {
  known: ReadonlySet<string>;
  databases: ReadonlyMap<string, string>;
  inventory: readonly InventoryObject[];
  held: ReadonlyMap<string, Row[]>;
  grantee: string;
  info: ServerInfo;
}

function answer({ targets, grantor }: AuthorityQuery, all: Known): GrantObserved {
  const missing = new Set<string>();
  if (grantor !== undefined && !all.known.has(grantor)) missing.add(`role "${grantor}"`);
  const objects = targets.flatMap((target) => find(target, all, missing));
  const distinct = new Map(objects.map((acl) => [JSON.stringify(acl.target), acl]));
  return { granteeExists: all.known.has(all.grantee), missing: [...missing], objects: [...distinct.values()] };
}

function find(target: ObjectTarget, all: Known, missing: Set<string>): AclObserved[] {
  const { grantee, held, info } = all;
  const { type, database, schema } = target;
  const acl = (on: ObjectTarget, owner: string, ...parts: unknown[]): AclObserved => {
    const object = COCKROACH_PRIVILEGES.objects[type];
    const rows = held.get(key(grantee, ...parts)) ?? [];
    return { target: on, owner, privileges: object === undefined ? [] : privilegesOf(rows, object, owner, info) };
  };
  if (type === 'global') return [acl({ type }, 'node', 'global')];
  const owner = all.databases.get(database ?? '');
  if (owner === undefined) {
    missing.add(targetWords({ type: 'database', database: database ?? '' }));
    return [];
  }
  if (type === 'database') return [acl({ type, database: database! }, owner, 'database', database)];
  const place = all.inventory.find((object) => object.type === 'schema' && object.name === schema);
  if (place === undefined) {
    missing.add(targetWords({ type: 'schema', schema: schema ?? '', database: database! }));
    return [];
  }
  if (type === 'schema') return [acl({ type, database: database!, schema: schema! }, place.owner, 'schema', schema)];
  const found = all.inventory.filter(
    (object) =>
      object.type === type &&
      object.schema === schema &&
      (target.name === '*' || object.name === target.name) &&
      (target.args === undefined || key(target.args.map(plainType)) === key(object.args ?? [])),
  );
  if (found.length === 0 && target.name !== '*') missing.add(targetWords(target));
  return found.map((object) => {
    const on = { type, database: database!, schema: schema!, name: object.name };
    if (object.args === undefined) return acl(on, object.owner, 'relation or type', schema, object.name);
    const { args, routineType = 'function' } = object;
    return acl({ ...on, args, routineType }, object.owner, 'routine', schema, object.name, args);
  });
}
