/**
 * One statement that reads all that a batch of grants is about: UNION ALL over the grant tables and the catalogs, where
 * every row is a kind and a JSON array, so that columns and collations of different tables need not agree.
 */
import type { ObjectTarget, ObjectType } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { availableOn } from '../../../resources/privilege-set.ts';
import { flagOf } from '../grant-columns.ts';
import { tableOfFlavour } from '../privileges.ts';
import { ident, join, literal, type Sql, sql } from '../sql.ts';

export interface GrantsWanted {
  /** User names of grantees and of proxied accounts. */
  users: ReadonlySet<string>;
  targets: readonly ObjectTarget[];
}

/** Names of privileges whose columns a row of `account` (MySQL) or `database` has, in their order. */
export const flagsOn = (type: 'global' | 'database', info: ServerInfo): string[] => {
  const object = tableOfFlavour(info).objects[type];
  if (object === undefined) return [];
  return availableOn(object, { ...info, dynamicPrivileges: [] }).map(({ name }) => name);
};

/** More names than this are looked for all at once, and not each in the directory of its database. */
const LOOKUPS = 100;

export function grantsSql({ users, targets }: GrantsWanted, info: ServerInfo): Sql {
  const types = new Set<ObjectType>(targets.map(({ type }) => type));
  const who = users.size === 0 ? sql`FALSE` : sql`User IN (${list(users)})`;
  const arms = [serverArm(info), accountArm(info, who)];
  if (types.has('global') && info.engine === 'mysql')
    arms.push(arm('dynamic', sql`USER, HOST, PRIV, WITH_GRANT_OPTION`, sql`mysql.global_grants`, who));
  if (types.has('database') || types.has('databasePattern')) {
    const flags = join(flagsOn('database', info).map((name) => ident(flagOf(name))));
    arms.push(arm('database', sql`User, Host, Db, ${flags}`, sql`mysql.db`, who));
  }
  if (types.has('table'))
    arms.push(
      arm('table', sql`User, Host, Db, Table_name, Table_priv`, sql`mysql.tables_priv`, who),
      arm('column', sql`User, Host, Db, Table_name, Column_name, Column_priv`, sql`mysql.columns_priv`, who),
    );
  if (types.has('routine'))
    arms.push(arm('routine', sql`User, Host, Db, Routine_name, Routine_type, Proc_priv`, sql`mysql.procs_priv`, who));
  if (types.has('proxy'))
    arms.push(arm('proxy', sql`User, Host, Proxied_user, Proxied_host, With_grant`, sql`mysql.proxies_priv`, who));
  return [...arms, ...catalogArms(targets)].reduce((all, one) => sql`${all} UNION ALL ${one}`);
}

export const arm = (kind: string, columns: Sql, from: Sql, where: Sql): Sql =>
  sql`SELECT ${literal(kind)} AS kind, CONVERT(JSON_ARRAY(${columns}) USING utf8mb4) AS data FROM ${from} WHERE ${where}`;

/** Names as they were asked, and as a server that stores small letters has them. */
const list = (names: Iterable<string>): Sql =>
  join([...new Set([...names].flatMap((name) => [name, name.toLowerCase()]))].map(literal));

export function serverArm({ engine }: ServerInfo): Sql {
  const settings =
    engine === 'mysql' ? sql`@@lower_case_table_names, @@partial_revokes` : sql`@@lower_case_table_names, 0`;
  return sql`SELECT 'server' AS kind, CONVERT(JSON_ARRAY(${settings}) USING utf8mb4) AS data`;
}

export function accountArm(info: ServerInfo, where: Sql): Sql {
  if (info.engine === 'mysql') {
    const flags = join(flagsOn('global', info).map((name) => ident(flagOf(name))));
    return arm('account', sql`User, Host, CAST(User_attributes AS CHAR), ${flags}`, sql`mysql.user`, where);
  }
  const fields = sql`JSON_VALUE(Priv, '$.access'), JSON_VALUE(Priv, '$.version_id'), JSON_VALUE(Priv, '$.default_role')`;
  return arm('account', sql`User, Host, ${fields}`, sql`mysql.global_priv`, where);
}

/** What of the targets there is. */
function catalogArms(targets: readonly ObjectTarget[]): Sql[] {
  const named = (type: ObjectType) => targets.filter((target) => target.type === type);
  const databases = new Set(targets.flatMap(({ database }) => database ?? []));
  if (databases.size === 0) return [];
  const within = (place: Sql, of: readonly ObjectTarget[]) =>
    sql`${place} IN (${list(of.map(({ database = '' }) => database))})`;
  const arms = [
    arm('isDatabase', sql`SCHEMA_NAME`, sql`information_schema.SCHEMATA`, sql`SCHEMA_NAME IN (${list(databases)})`),
  ];
  const tables = named('table');
  for (const some of lookups(tables, ({ database }) => database))
    arms.push(
      arm(
        'isTable',
        sql`TABLE_SCHEMA, TABLE_NAME`,
        sql`information_schema.TABLES`,
        sql`${within(sql`TABLE_SCHEMA`, some)} AND TABLE_NAME IN (${list(some.map(({ name = '' }) => name))})`,
      ),
    );
  const byColumn = tables.filter(({ columns }) => columns !== undefined);
  for (const some of lookups(byColumn, ({ database, name }) => JSON.stringify([database, name])))
    arms.push(
      arm(
        'isColumn',
        sql`TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME`,
        sql`information_schema.COLUMNS`,
        sql`${within(sql`TABLE_SCHEMA`, some)} AND TABLE_NAME IN (${list(some.map(({ name = '' }) => name))}) AND COLUMN_NAME IN (${list(some.flatMap(({ columns = [] }) => columns))})`,
      ),
    );
  const routines = named('routine');
  if (routines.length > 0)
    arms.push(
      arm(
        'isRoutine',
        sql`ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE`,
        sql`information_schema.ROUTINES`,
        sql`${within(sql`ROUTINE_SCHEMA`, routines)} AND ROUTINE_NAME IN (${list(routines.map(({ name = '' }) => name))})`,
      ),
    );
  return arms;
}

/** MariaDB looks into one directory, or opens one table, only when it is the only one that is asked for. */
function lookups(
  targets: readonly ObjectTarget[],
  key: (target: ObjectTarget) => string | undefined,
): ObjectTarget[][] {
  if (targets.length === 0) return [];
  const groups = [...Map.groupBy(targets, key).values()];
  return groups.length > LOOKUPS ? [[...targets]] : groups;
}
