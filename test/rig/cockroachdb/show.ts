/** SHOW statements about databases, roles and privileges. */
import { DEFAULT_TYPES, defaultsKey, type ObjectEntry } from './catalog.ts';
import { showBackups } from './show-backups.ts';
import type { Session } from './session.ts';
import type { Shown } from './shapes.ts';
import { type Acl, PUBLIC } from './state.ts';
import type { Cursor } from './tokens.ts';
import { SqlError } from './wire.ts';

type Row = Record<string, unknown>;

/** The cursor is after SHOW. */
export async function show(session: Session, cursor: Cursor): Promise<Shown> {
  const { catalog, state } = session.simulator;
  if (cursor.accept('databases')) {
    const withComment = cursor.accept('with', 'comment');
    cursor.end();
    const rows = (await catalog.databases()).map(({ name, owner, comment }) => ({
      database_name: name,
      owner,
      regions: [],
      comment,
    }));
    return { shape: withComment ? 'SHOW DATABASES WITH COMMENT' : 'SHOW DATABASES', rows };
  }
  if (cursor.accept('schemas')) {
    const database = cursor.accept('from') ? cursor.name() : session.database;
    cursor.end();
    const schemas = (await catalog.objects(database)).filter(({ level }) => level === 'schema');
    const system = ['crdb_internal', 'information_schema', 'pg_catalog', 'pg_extension'].map((name) => ({
      schema_name: name,
      owner: 'node',
    }));
    const rows = [...system, ...schemas.map(({ name, owner }) => ({ schema_name: name, owner }))];
    return { shape: 'SHOW SCHEMAS', rows: rows.toSorted((a, b) => (a.schema_name < b.schema_name ? -1 : 1)) };
  }
  if (cursor.accept('tables')) {
    const path = cursor.accept('from') ? cursor.path() : [session.database];
    cursor.end();
    return { shape: 'SHOW TABLES', rows: await tables(session, path) };
  }
  if (cursor.accept('types')) {
    cursor.end();
    const types = (await catalog.objects(session.database)).filter(({ level }) => level === 'type');
    return { shape: 'SHOW TYPES', rows: types.map(({ schema, name, owner }) => ({ schema, name, owner })) };
  }
  if (cursor.accept('functions')) {
    const schema = cursor.accept('from') ? cursor.path().at(-1) : undefined;
    cursor.end();
    const all = (await catalog.objects(session.database)).filter(({ level }) => level === 'routine');
    return {
      shape: 'SHOW FUNCTIONS',
      rows: all
        .filter((object) => schema === undefined || object.schema === schema)
        .map(({ schema: place, name, args }) => ({
          schema_name: place,
          function_name: name,
          argument_data_types: args,
          function_type: 'func',
          volatility: 'volatile',
        })),
    };
  }
  if (cursor.oneOf('roles', 'users') !== undefined) {
    cursor.end();
    return { shape: 'SHOW ROLES', rows: roles(session) };
  }
  if (cursor.accept('grants')) return await grants(session, cursor);
  if (cursor.accept('system', 'grants')) {
    const wanted = forRoles(cursor);
    cursor.end();
    for (const role of wanted ?? []) requireRole(session, role);
    const names = wanted === undefined ? [...state.systemAcl.keys()] : carriers(session, wanted, false);
    return { shape: 'SHOW SYSTEM GRANTS', rows: rowsOf(state.systemAcl, new Set(names)) };
  }
  if (cursor.accept('default', 'privileges')) return await defaultPrivileges(session, cursor);
  if (cursor.accept('cluster', 'setting')) {
    const name = cursor.path().join('.');
    cursor.end();
    return { shape: 'SHOW CLUSTER SETTING', rename: name, rows: [{ [name]: session.simulator.settings.get(name) }] };
  }
  return await showBackups(session, cursor);
}

function roles(session: Session): Row[] {
  const { state } = session.simulator;
  return [...state.roles.values()]
    .map(({ name, login, options, validUntil, memberOf, lastLogin }) => ({
      username: name,
      options: [
        ...options,
        ...(login ? [] : ['NOLOGIN']),
        ...(validUntil === undefined
          ? []
          : [`VALID UNTIL=${validUntil.toISOString().replace('T', ' ').replace('.000Z', '+00:00')}`]),
      ].sort(),
      member_of: [...memberOf.keys()].sort(),
      estimated_last_login_time: lastLogin,
    }))
    .toSorted((a, b) => (a.username < b.username ? -1 : 1));
}

export function requireRole(session: Session, name: string): void {
  if (name === PUBLIC || session.simulator.state.roles.has(name)) return;
  throw new SqlError('42704', `role/user "${name}" does not exist`);
}

/** FOR a, b; undefined without it. */
function forRoles(cursor: Cursor): string[] | undefined {
  return cursor.accept('for') ? cursor.list(() => cursor.name()) : undefined;
}

/** SHOW GRANTS FOR lists what reaches a role by its groups and by public, and names the one that carries it. */
function carriers(session: Session, roles: readonly string[], withPublic: boolean): string[] {
  const all = new Set<string>();
  for (const role of roles) {
    if (role === PUBLIC) all.add(PUBLIC);
    else for (const name of session.simulator.state.reach(role)) all.add(name);
    if (withPublic) all.add(PUBLIC);
  }
  return [...all];
}

const rowsOf = (acl: Acl, grantees: ReadonlySet<string> | undefined, more: Row = {}): Row[] =>
  [...acl]
    .filter(([grantee]) => grantees === undefined || grantees.has(grantee))
    .flatMap(([grantee, held]) =>
      [...held].map(([privilege, grantable]) => ({
        ...more,
        grantee,
        privilege_type: privilege,
        is_grantable: grantable,
      })),
    );

const sorted = (rows: Row[]): Row[] =>
  rows
    .map((row) => [JSON.stringify(Object.values(row)), row] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row);

async function grants(session: Session, cursor: Cursor): Promise<Shown> {
  const { catalog, state } = session.simulator;
  if (!cursor.accept('on')) {
    const wanted = forRoles(cursor);
    cursor.end();
    for (const role of wanted ?? []) requireRole(session, role);
    const grantees = wanted === undefined ? undefined : new Set(carriers(session, wanted, true));
    const { database } = session;
    const objects = await catalog.objects(database);
    const rows = rowsOf(await catalog.databaseAcl(database), grantees, {
      database_name: database,
      schema_name: null,
      object_name: null,
      object_type: 'database',
    });
    for (const object of objects)
      rows.push(
        ...rowsOf(catalog.aclOf(object), grantees, {
          database_name: database,
          schema_name: object.level === 'schema' ? object.name : object.schema,
          object_name: object.level === 'schema' ? null : nameOf(object),
          object_type: object.level,
        }),
      );
    for (const connection of state.connections.values())
      rows.push(
        ...rowsOf(connection.acl, grantees, {
          database_name: null,
          schema_name: null,
          object_name: connection.name,
          object_type: 'external_connection',
        }),
      );
    return { shape: 'SHOW GRANTS', rows: sorted(rows) };
  }
  if (cursor.accept('role')) {
    const names = cursor.isAtEnd || cursor.peek?.text === 'for' ? undefined : cursor.list(() => cursor.name());
    const members = forRoles(cursor);
    cursor.end();
    const rows = [...state.roles.values()].flatMap(({ name, memberOf }) =>
      [...memberOf]
        .filter(([group]) => (names?.includes(group) ?? true) && (members?.includes(name) ?? true))
        .map(([group, admin]) => ({ role_name: group, member: name, is_admin: admin })),
    );
    return { shape: 'SHOW GRANTS ON ROLE', rows: sorted(rows) };
  }
  return await grantsOn(session, cursor);
}

const nameOf = (object: ObjectEntry): string =>
  object.args === undefined ? object.name : `${object.name}(${object.args})`;

async function grantsOn(session: Session, cursor: Cursor): Promise<Shown> {
  const { catalog, state } = session.simulator;
  const finish = (): ReadonlySet<string> | undefined => {
    const wanted = forRoles(cursor);
    cursor.end();
    for (const role of wanted ?? []) requireRole(session, role);
    return wanted === undefined ? undefined : new Set(wanted);
  };
  if (cursor.accept('database')) {
    const names = cursor.list(() => cursor.name());
    const grantees = finish();
    const rows: Row[] = [];
    for (const name of names) rows.push(...rowsOf(await catalog.databaseAcl(name), grantees, { database_name: name }));
    return { shape: 'SHOW GRANTS ON DATABASE', rows: sorted(rows) };
  }
  if (cursor.accept('external', 'connection')) {
    const names = cursor.list(() => cursor.name());
    const grantees = finish();
    const rows = names.flatMap((name) => {
      const connection = state.connections.get(name);
      if (connection === undefined) throw new SqlError('42704', `external connection with name ${name} does not exist`);
      return rowsOf(connection.acl, grantees, { connection_name: name });
    });
    return { shape: 'SHOW GRANTS ON EXTERNAL CONNECTION', rows: sorted(rows) };
  }
  const level = cursor.accept('schema')
    ? 'schema'
    : cursor.accept('type')
      ? 'type'
      : cursor.accept('function')
        ? 'routine'
        : 'table';
  if (level === 'table') cursor.accept('table');
  const paths = cursor.list(() => cursor.path());
  const grantees = finish();
  const rows: Row[] = [];
  for (const path of paths)
    for (const object of await find(session, level, path))
      rows.push(
        ...rowsOf(catalog.aclOf(object), grantees, {
          database_name: session.database,
          schema_name: level === 'schema' ? object.name : object.schema,
          ...(level === 'table' ? { table_name: object.name } : {}),
          ...(level === 'type' ? { type_name: object.name } : {}),
          ...(level === 'routine' ? { routine_id: object.key.split(' ')[2], routine_signature: nameOf(object) } : {}),
        }),
      );
  const word = { schema: 'SCHEMA', type: 'TYPE', routine: 'FUNCTION', table: 'TABLE' } as const;
  return { shape: `SHOW GRANTS ON ${word[level]}`, rows: sorted(rows) };
}

/** Objects by a path of a statement; what is not there is an error. */
export async function find(
  session: Session,
  level: 'schema' | 'table' | 'type' | 'routine',
  path: readonly string[],
): Promise<ObjectEntry[]> {
  const last = path.at(-1) ?? '';
  const schema = level === 'schema' ? '' : (path.at(-2) ?? 'public');
  const database = path.length > (level === 'schema' ? 1 : 2) ? (path[0] ?? '') : session.database;
  const objects = await session.simulator.catalog.objects(database);
  const found = objects.filter(
    (object) =>
      (object.level === level || (level === 'table' && object.level === 'sequence')) &&
      object.schema === schema &&
      (object.name === last || last === '*'),
  );
  if (found.length > 0 || last === '*') return found;
  if (level === 'schema') throw new SqlError('3F000', `target database or schema does not exist`);
  const code = { table: '42P01', type: '42704', routine: '42883' }[level];
  const word = { table: 'relation', type: 'type', routine: 'unknown function:' }[level];
  throw new SqlError(code, `${word} "${path.join('.')}" does not exist`);
}

async function tables(session: Session, path: readonly string[]): Promise<Row[]> {
  const { catalog } = session.simulator;
  const [first = session.database, second] = path;
  const isDatabase = second !== undefined || (await catalog.exists(first));
  const objects = await catalog.objects(isDatabase ? first : session.database);
  const schema = second ?? (isDatabase ? undefined : first);
  if (schema !== undefined && !objects.some(({ level, name }) => level === 'schema' && name === schema))
    throw new SqlError('3F000', 'target database or schema does not exist');
  return objects
    .filter(({ level }) => level === 'table' || level === 'sequence')
    .filter((object) => schema === undefined || object.schema === schema)
    .map(({ schema: place, name, kind, owner }) => ({
      schema_name: place,
      table_name: name,
      type: kind,
      owner,
      estimated_row_count: 0,
    }));
}

async function defaultPrivileges(session: Session, cursor: Cursor): Promise<Shown> {
  const { catalog, state } = session.simulator;
  let creators: string[] = [session.currentUser];
  let grantees: string[] | undefined;
  if (cursor.accept('for', 'all', 'roles')) creators = [''];
  else if (cursor.accept('for', 'grantee')) {
    grantees = cursor.list(() => cursor.name());
    creators = ['', ...state.roles.keys()];
  } else if (cursor.accept('for')) {
    if (cursor.oneOf('role', 'user') === undefined) throw cursor.error();
    creators = cursor.list(() => cursor.name());
  }
  const schemas = cursor.accept('in', 'schema') ? cursor.list(() => cursor.path().at(-1) ?? '') : [''];
  cursor.end();
  for (const role of [...creators, ...(grantees ?? [])]) if (role !== '') requireRole(session, role);
  const database = await catalog.database(session.database);
  const objects = await catalog.objects(session.database);
  for (const schema of schemas)
    if (schema !== '' && !objects.some(({ level, name }) => level === 'schema' && name === schema))
      throw new SqlError('3F000', `schema "${schema}" does not exist`);
  const rows = creators.flatMap((role) =>
    schemas.flatMap((schema) =>
      Object.values(DEFAULT_TYPES).flatMap((type) => {
        const acl =
          schema === ''
            ? catalog.defaultsOf(database.oid, role, '', type)
            : (state.defaults.get(defaultsKey(database.oid, role, schema, type)) ?? new Map());
        return rowsOf(acl, grantees === undefined ? undefined : new Set(grantees), {
          role: role === '' ? null : role,
          for_all_roles: role === '',
          object_type: type,
        });
      }),
    ),
  );
  return { shape: 'SHOW DEFAULT PRIVILEGES', rows: sorted(rows) };
}
