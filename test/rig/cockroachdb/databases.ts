/** Databases, schemas and comments. */
import { quoted } from './backend.ts';
import type { Handler } from './execute.ts';
import { refuseCommas } from './roles.ts';
import type { Session } from './session.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

export const databases: Handler = async (session, cursor) => {
  if (cursor.accept('create', 'database')) return await createDatabase(session, cursor);
  if (cursor.accept('alter', 'database')) return await alterDatabase(session, cursor);
  if (cursor.accept('drop', 'database')) return await dropDatabase(session, cursor);
  if (cursor.accept('create', 'schema')) return await createSchema(session, cursor);
  if (cursor.accept('alter', 'schema')) return await alterSchema(session, cursor);
  if (cursor.accept('drop', 'schema')) return await dropSchema(session, cursor);
  return cursor.accept('comment', 'on') ? await comment(session, cursor) : undefined;
};

const only = (name: string, allowed: readonly string[], value: string): void => {
  if (!allowed.includes(value)) throw new SqlError('0A000', `unsupported ${name}: ${value}`);
};

async function createDatabase(session: Session, cursor: Cursor): Promise<Result> {
  const { state, catalog } = session.simulator;
  const ifNotExists = cursor.accept('if', 'not', 'exists');
  const name = cursor.name();
  cursor.accept('with');
  let owner = session.currentUser;
  while (!cursor.isAtEnd) {
    const option = cursor.oneOf('template', 'encoding', 'lc_collate', 'lc_ctype', 'connection limit', 'owner');
    if (option === undefined) throw cursor.error();
    cursor.accept('=');
    if (option === 'owner') owner = cursor.name();
    else if (option === 'connection limit') {
      if (!cursor.accept('-')) throw new SqlError('0A000', 'only connection limit -1 is supported');
      only(option, ['1'], cursor.integer());
    } else if (option === 'template') only(option, ['template0'], cursor.name());
    else if (option === 'encoding') only(option, ['UTF8', 'UTF-8', 'UNICODE'], cursor.string());
    else only(option, ['C.UTF-8', 'en_US.utf8', 'C', 'POSIX'], cursor.string());
  }
  if (!state.hasOption(session.currentUser, 'CREATEDB'))
    throw new SqlError('42501', 'permission denied to create database');
  if (!state.roles.has(owner)) throw new SqlError('42704', `role/user "${owner}" does not exist`);
  if (state.isRestoring(name) || (await catalog.exists(name))) {
    if (ifNotExists) return { tag: 'CREATE DATABASE' };
    throw new SqlError('42P04', `database "${name}" already exists`);
  }
  await catalog.run(
    'postgres',
    `CREATE DATABASE ${quoted(name)} OWNER ${quoted(owner)} TEMPLATE template0 ENCODING 'UTF8'`,
  );
  await session.simulator.prepareDatabase(name);
  session.simulator.made.set((await catalog.database(name)).oid, new Date());
  return { tag: 'CREATE DATABASE' };
}

async function mustOwn(session: Session, what: string, owner: string): Promise<void> {
  const { state } = session.simulator;
  if (state.isAdmin(session.currentUser) || state.reach(session.currentUser).has(owner)) return;
  throw await Promise.resolve(new SqlError('42501', `must be owner of ${what}`));
}

async function alterDatabase(session: Session, cursor: Cursor): Promise<Result> {
  const { state, catalog } = session.simulator;
  const name = cursor.name();
  const database = await catalog.database(name);
  await mustOwn(session, `database ${name}`, database.owner);
  if (cursor.accept('owner', 'to')) {
    const owner = cursor.name();
    cursor.end();
    if (!state.roles.has(owner)) throw new SqlError('42704', `role/user "${owner}" does not exist`);
    await catalog.run('postgres', `ALTER DATABASE ${quoted(name)} OWNER TO ${quoted(owner)}`);
  } else if (cursor.accept('rename', 'to')) {
    const to = cursor.name();
    cursor.end();
    if (state.isRestoring(to) || (await catalog.exists(to)))
      throw new SqlError('42P04', `database "${to}" already exists`);
    const [view] = (await catalog.objects(name)).filter(({ kind }) => kind.endsWith('view'));
    if (view !== undefined)
      throw new SqlError(
        '2BP01',
        `cannot rename database because relation "${name}.${view.schema}.${view.name}" depends on another relation`,
      );
    await session.simulator.quiet(name);
    await catalog.run('postgres', `ALTER DATABASE ${quoted(name)} RENAME TO ${quoted(to)}`);
    // A session's database is a name: it goes on in whatever has that name now.
  } else if (['set', 'reset'].includes(cursor.peek?.text ?? '')) {
    refuseCommas(cursor);
    await catalog.run('postgres', `ALTER DATABASE ${quoted(name)} ${cursor.text.slice(cursor.peek!.start)}`);
  } else throw cursor.error();
  return { tag: 'ALTER DATABASE' };
}

async function dropDatabase(session: Session, cursor: Cursor): Promise<Result> {
  const { catalog } = session.simulator;
  const ifExists = cursor.accept('if', 'exists');
  const name = cursor.name();
  const behaviour = cursor.oneOf('cascade', 'restrict');
  cursor.end();
  if (!(await catalog.exists(name))) {
    if (ifExists) return { tag: 'DROP DATABASE' };
    throw new SqlError('3D000', `database "${name}" does not exist`);
  }
  const { owner } = await catalog.database(name);
  await mustOwn(session, `database ${name}`, owner);
  const objects = await catalog.objects(name);
  const isFilled = objects.some(({ level, name: schema }) => level !== 'schema' || schema !== 'public');
  const isSafe = session.variables.get('sql_safe_updates') === 'true';
  if (isSafe && name === session.database)
    throw new SqlError('01000', 'rejected (sql_safe_updates = true): DROP DATABASE on current database');
  if (isFilled && behaviour === 'restrict')
    throw new SqlError('2BP01', `database "${name}" is not empty and RESTRICT was specified`);
  if (isFilled && isSafe && behaviour === undefined)
    throw new SqlError(
      '01000',
      'rejected (sql_safe_updates = true): DROP DATABASE on non-empty database without explicit CASCADE',
    );
  await session.simulator.quiet(name);
  const { oid } = await catalog.database(name);
  const { defaults } = session.simulator.state;
  for (const key of defaults.keys()) if ((JSON.parse(key) as string[])[0] === oid) defaults.delete(key);
  await catalog.run('postgres', `DROP DATABASE ${quoted(name)} WITH (FORCE)`);
  return { tag: 'DROP DATABASE' };
}

async function createSchema(session: Session, cursor: Cursor): Promise<Result> {
  const { state, catalog } = session.simulator;
  const ifNotExists = cursor.accept('if', 'not', 'exists');
  const path = cursor.peek?.text === 'authorization' ? [] : cursor.path();
  const owner = cursor.accept('authorization') ? cursor.name() : session.currentUser;
  cursor.end();
  const name = path.at(-1) ?? owner;
  const database = path.length > 1 ? (path[0] ?? '') : session.database;
  if (name.startsWith('pg_')) throw new SqlError('42939', `unacceptable schema name "${name}"`);
  if (!state.roles.has(owner)) throw new SqlError('42704', `role/user "${owner}" does not exist`);
  const entry = await catalog.database(database);
  const held = await catalog.databaseAcl(database);
  const may =
    state.isAdmin(session.currentUser) ||
    [...state.reach(session.currentUser)].some(
      (role) => role === entry.owner || held.get(role)?.has('CREATE') === true || held.get(role)?.has('ALL') === true,
    );
  if (!may)
    throw new SqlError('42501', `user ${session.currentUser} does not have CREATE privilege on database ${database}`);
  if ((await catalog.objects(database)).some((object) => object.level === 'schema' && object.name === name)) {
    if (ifNotExists) return { tag: 'CREATE SCHEMA' };
    throw new SqlError('42P06', `schema "${name}" already exists`);
  }
  await catalog.run(database, `CREATE SCHEMA ${quoted(name)} AUTHORIZATION ${quoted(owner)}`);
  await catalog.objects(database);
  return { tag: 'CREATE SCHEMA' };
}

async function schemaOf(session: Session, path: readonly string[]) {
  const database = path.length > 1 ? (path[0] ?? '') : session.database;
  const objects = await session.simulator.catalog.objects(database);
  const name = path.at(-1) ?? '';
  return { database, name, objects, schema: objects.find((o) => o.level === 'schema' && o.name === name) };
}

async function alterSchema(session: Session, cursor: Cursor): Promise<Result> {
  const { database, name, schema } = await schemaOf(session, cursor.path());
  if (schema === undefined) throw new SqlError('3F000', `unknown schema "${name}"`);
  await mustOwn(session, `schema ${name}`, schema.owner);
  cursor.expect('owner', 'to');
  const owner = cursor.name();
  cursor.end();
  if (!session.simulator.state.roles.has(owner)) throw new SqlError('42704', `role/user "${owner}" does not exist`);
  await session.simulator.catalog.run(database, `ALTER SCHEMA ${quoted(name)} OWNER TO ${quoted(owner)}`);
  return { tag: 'ALTER SCHEMA' };
}

async function dropSchema(session: Session, cursor: Cursor): Promise<Result> {
  const ifExists = cursor.accept('if', 'exists');
  const paths = cursor.list(() => cursor.path());
  const cascade = cursor.oneOf('cascade', 'restrict') === 'cascade';
  cursor.end();
  for (const path of paths) {
    const { database, name, objects, schema } = await schemaOf(session, path);
    if (schema === undefined) {
      if (ifExists) continue;
      throw new SqlError('3F000', `unknown schema "${name}"`);
    }
    if (name === 'public') throw new SqlError('3F000', `cannot drop schema "public"`);
    await mustOwn(session, `schema ${name}`, schema.owner);
    if (!cascade && objects.some((object) => object.schema === name))
      throw new SqlError('2BP01', `schema "${name}" is not empty and CASCADE was not specified`);
    await session.simulator.catalog.run(database, `DROP SCHEMA ${quoted(name)} CASCADE`);
  }
  return { tag: 'DROP SCHEMA' };
}

async function comment(session: Session, cursor: Cursor): Promise<Result> {
  const kind = cursor.oneOf('database', 'schema', 'table', 'column', 'index', 'type', 'constraint');
  if (kind === undefined) throw cursor.error();
  const path = cursor.path();
  cursor.expect('is');
  const text = cursor.accept('null') ? undefined : cursor.string();
  cursor.end();
  const value = text === undefined ? 'NULL' : `'${text.replaceAll("'", "''")}'`;
  if (kind === 'database') await session.simulator.catalog.database(path[0] ?? '');
  if (kind === 'schema' && (await schemaOf(session, path)).schema === undefined)
    throw new SqlError('3F000', `unknown schema "${path.at(-1)}"`);
  await session.simulator.catalog.run(
    session.database,
    `COMMENT ON ${kind.toUpperCase()} ${path.map(quoted).join('.')} IS ${value}`,
  );
  return { tag: `COMMENT ON ${kind.toUpperCase()}` };
}
