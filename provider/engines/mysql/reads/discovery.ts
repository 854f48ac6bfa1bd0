/** Everything that people have made on a server: accounts, roles, databases, and who may do what. */
import type { Discovery, FoundRight } from '../../../resources/model/discovery.ts';
import type { Grantee, ObjectTarget } from '../../../resources/model/objects.ts';
import { isReservedDatabase, isReservedRole } from '../../../resources/names.ts';
import { accountText } from '../accounts.ts';
import { escapedName, plainName } from '../database-pattern.ts';
import type { MysqlInfo } from '../info.ts';
import { GRANT_OPTION } from '../privileges.ts';
import type { Session } from '../session.ts';
import { sql } from '../sql.ts';
import { accountArm, arm, flagsOn, serverArm } from './grants-sql.ts';
import { type Found, GrantsSnapshot } from './grants-snapshot.ts';
import { flagOf } from '../grant-columns.ts';
import { ident, join } from '../sql.ts';

/** All grant tables, as the reads of single grants have them. */
function everything(info: MysqlInfo) {
  const all = sql`TRUE`;
  const flags = join(flagsOn('database', info).map((name) => ident(flagOf(name))));
  return [
    serverArm(info),
    accountArm(info, all),
    arm('database', sql`User, Host, Db, ${flags}`, sql`mysql.db`, all),
    arm('table', sql`User, Host, Db, Table_name, Table_priv`, sql`mysql.tables_priv`, all),
    arm('column', sql`User, Host, Db, Table_name, Column_name, Column_priv`, sql`mysql.columns_priv`, all),
    arm('routine', sql`User, Host, Db, Routine_name, Routine_type, Proc_priv`, sql`mysql.procs_priv`, all),
    arm('proxy', sql`User, Host, Proxied_user, Proxied_host, With_grant`, sql`mysql.proxies_priv`, all),
    arm('isDatabase', sql`SCHEMA_NAME`, sql`information_schema.SCHEMATA`, all),
    arm('isTable', sql`TABLE_SCHEMA, TABLE_NAME`, sql`information_schema.TABLES`, all),
    arm(
      'isRoutine',
      sql`ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE`,
      sql`information_schema.ROUTINES`,
      sql`ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE')`,
    ),
    ...(info.engine === 'mysql'
      ? [arm('dynamic', sql`USER, HOST, PRIV, WITH_GRANT_OPTION`, sql`mysql.global_grants`, all)]
      : []),
  ].reduce((one, next) => sql`${one} UNION ALL ${next}`);
}

/** MariaDB keeps what everybody holds like a role of that name. */
const isPublic = ({ name, host }: Found): boolean => name === 'PUBLIC' && host === '';

export async function discover(session: Session, info: MysqlInfo): Promise<Discovery> {
  const snapshot = new GrantsSnapshot(await session.query(everything(info)), info);
  const all = [...snapshot.accounts.values()];
  // The anonymous account has no name to manage it by.
  const known = all.filter(({ name }) => name !== '' && !isReservedRole(info.engine, name, info.admin.name));
  const databases = snapshot.databases().filter((name) => !isReservedDatabase(info.engine, name));
  const rights = [...known, ...all.filter(isPublic)].flatMap((account) => rightsOf(account, snapshot, info));
  const inside = Map.groupBy(rights, ({ on }) => on.database ?? '');
  return {
    roles: known
      .map(({ name, host }) => (host === '' ? { name } : { name, host }))
      .toSorted((a, b) => (accountText({ host: '', ...a }) < accountText({ host: '', ...b }) ? -1 : 1)),
    databases: databases
      .toSorted()
      .map((name) => ({ name, schemas: [], extensions: [], rights: inside.get(name) ?? [], defaults: [] })),
    rights: inside.get('') ?? [],
  };
}

function rightsOf(account: Found, snapshot: GrantsSnapshot, info: MysqlInfo): FoundRight[] {
  const to: Grantee = isPublic(account) ? { public: true } : { name: accountText(account) };
  const right = (on: ObjectTarget, held: readonly string[], withOption = held.includes(GRANT_OPTION)): FoundRight[] => {
    const privileges = held.filter((name) => name !== GRANT_OPTION).toSorted();
    if (privileges.length > 0) return [{ on, to, privileges, withOption, exclusive: false }];
    // The option alone is a privilege like another.
    return withOption ? [{ on, to, privileges: [GRANT_OPTION], withOption: false, exclusive: false }] : [];
  };
  const found = right({ type: 'global' }, account.global);
  for (const { path, held } of snapshot.everythingOf(account)) {
    const [type, ...names] = path;
    const [database = '', name = '', third = ''] = names;
    const words = held.filter(({ column }) => column === undefined).map(({ privilege }) => privilege);
    if (type === 'global') found.push(...right({ type: 'global' }, words, false));
    else if (type === 'database') found.push(...right(placeOf(database, snapshot, info), words));
    else if (type === 'table' && snapshot.isThere('isTable', database, name)) {
      found.push(...right({ type: 'table', database, name }, words));
      const columns = Map.groupBy(
        held.flatMap(({ column, privilege }) => (column === undefined ? [] : [{ column, privilege }])),
        ({ column }) => column,
      );
      for (const [column, on] of columns)
        found.push(
          ...right(
            { type: 'table', database, name, columns: [column] },
            on.map(({ privilege }) => privilege),
            false,
          ),
        );
    } else if (type === 'routine' && snapshot.routines(database, name).includes(third) && isRoutineType(third))
      found.push(...right({ type: 'routine', database, name, routineType: third }, words));
    else if (type === 'proxy' && database !== '') {
      const [user = '', host = ''] = JSON.parse(database) as string[];
      if (user !== '')
        found.push({
          on: { type: 'proxy', name: accountText({ name: user, host }) },
          to,
          privileges: ['PROXY'],
          withOption: false,
          exclusive: false,
        });
    }
  }
  return found.filter(({ on }) => on.database === undefined || snapshot.isThere('isDatabase', on.database));
}

const isRoutineType = (text: string): text is 'function' | 'procedure' => text === 'function' || text === 'procedure';

/** What the grant tables call a database may be a pattern of many. */
function placeOf(stored: string, { hasWildcards }: GrantsSnapshot, info: MysqlInfo): ObjectTarget {
  const database = hasWildcards ? plainName(stored) : stored;
  return database !== undefined && escapedName(database, info) === stored
    ? { type: 'database', database }
    : { type: 'databasePattern', name: stored };
}
