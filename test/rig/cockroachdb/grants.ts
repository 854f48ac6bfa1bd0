/** GRANT and REVOKE of privileges, default privileges, and what a role owns. */
import { quoted } from './backend.ts';
import { DEFAULT_TYPES, defaultsKey, definition, type ObjectEntry } from './catalog.ts';
import type { Handler } from './execute.ts';
import { check, grant, type Level, plain, privilegesOf, revoke } from './privileges.ts';
import { changeMemberships } from './roles.ts';
import type { Session } from './session.ts';
import { find, requireRole } from './show.ts';
import { type Acl, hasSynthetic, PUBLIC } from './state.ts';
import type { Cursor } from './tokens.ts';
import { plainType, splitArguments } from '../../../provider/engines/cockroachdb/types.ts';
import { type Result, SqlError } from './wire.ts';

interface Change {
  kind: 'grant' | 'revoke';
  /** WITH GRANT OPTION, or GRANT OPTION FOR. */
  option: boolean;
  privileges: string[];
  grantees: string[];
}

export const grants: Handler = async (session, cursor) => {
  if (cursor.accept('grant')) return await grantOrRevoke(session, cursor, 'grant');
  if (cursor.accept('revoke')) return await grantOrRevoke(session, cursor, 'revoke');
  if (cursor.accept('alter', 'default', 'privileges')) return await alterDefaults(session, cursor);
  if (cursor.accept('reassign', 'owned', 'by')) return await reassignOwned(session, cursor);
  return cursor.accept('drop', 'owned', 'by') ? await dropOwned(session, cursor) : undefined;
};

const words = (cursor: Cursor): string[] =>
  cursor.list(() => {
    const name = cursor.name();
    return cursor.accept('privileges') ? name : name;
  });

async function grantOrRevoke(session: Session, cursor: Cursor, kind: 'grant' | 'revoke'): Promise<Result> {
  const admin = kind === 'revoke' && cursor.accept('admin', 'option', 'for');
  let option = kind === 'revoke' && cursor.accept('grant', 'option', 'for');
  const isSystem = cursor.accept('system');
  const named = words(cursor);
  const separator = kind === 'grant' ? 'to' : 'from';
  if (!isSystem && cursor.accept(separator)) {
    const members = cursor.list(() => cursor.name());
    const withAdmin = kind === 'grant' && cursor.accept('with', 'admin', 'option');
    cursor.end();
    return await changeMemberships(session, named, members, { kind, admin: admin || withAdmin });
  }
  if (admin) throw cursor.error();
  const privileges = named.map(plain);
  const target = isSystem ? undefined : await targetOf(session, cursor);
  cursor.expect(separator);
  const grantees = cursor.list(() => cursor.name());
  if (kind === 'grant' && cursor.accept('with', 'grant', 'option')) option = true;
  cursor.end();
  for (const grantee of grantees) requireRole(session, grantee);
  if (kind === 'grant' && option && grantees.includes(PUBLIC))
    throw new SqlError('0LP01', 'grant options cannot be granted to "public" role');
  const change: Change = { kind, option, privileges, grantees };
  if (target === undefined) {
    check(privileges, 'system', session.simulator.version);
    mayGrant(session, session.simulator.state.systemAcl, change, '', 'system');
    apply(session, session.simulator.state.systemAcl, 'system', change);
    return { tag: kind.toUpperCase() };
  }
  await target(change);
  return { tag: kind.toUpperCase() };
}

function apply(session: Session, acl: Acl, level: Level, { kind, option, privileges, grantees }: Change): void {
  const all = privilegesOf(level, session.simulator.version);
  for (const grantee of grantees) {
    const held = acl.get(grantee) ?? new Map<string, boolean>();
    if (kind === 'grant') grant(held, privileges, option);
    else revoke(held, privileges, option, all);
    if (held.size > 0) acl.set(grantee, held);
    else acl.delete(grantee);
  }
}

/** Admins, owners, and holders of the grant option. */
function mayGrant(
  { simulator: { state }, currentUser }: Session,
  acl: Acl,
  change: Change,
  owner: string,
  on: string,
): void {
  const reach = state.reach(currentUser);
  if (state.isAdmin(currentUser) || reach.has(owner)) return;
  for (const privilege of change.privileges) {
    const holds = [...reach].some(
      (role) => acl.get(role)?.get(privilege) === true || acl.get(role)?.get('ALL') === true,
    );
    if (!holds)
      throw new SqlError('42501', `user ${currentUser} missing WITH GRANT OPTION privilege on ${privilege} (${on})`);
  }
}

type Target = (change: Change) => Promise<void>;

async function targetOf(session: Session, cursor: Cursor): Promise<Target> {
  const { catalog, state, version } = session.simulator;
  cursor.expect('on');
  if (cursor.accept('database')) {
    const names = cursor.list(() => cursor.name());
    return async (change) => {
      check(change.privileges, 'database', version);
      for (const name of names) {
        const acl = await catalog.databaseAcl(name);
        mayGrant(session, acl, change, (await catalog.database(name)).owner, `database ${name}`);
        apply(session, acl, 'database', change);
        await catalog.projectDatabase(name, change.grantees);
      }
    };
  }
  if (cursor.accept('external', 'connection')) {
    const names = cursor.list(() => cursor.name());
    return async (change) => {
      check(change.privileges, 'external_connection', version);
      for (const name of names) {
        const connection = state.connections.get(name);
        if (connection === undefined)
          throw new SqlError('42704', `external connection with name ${name} does not exist`);
        mayGrant(session, connection.acl, change, connection.owner, `external connection ${name}`);
        apply(session, connection.acl, 'external_connection', change);
      }
      return await Promise.resolve();
    };
  }
  const objects = await objectsOf(session, cursor);
  return async (change) => {
    for (const object of objects) check(change.privileges, object.level, version);
    for (const object of objects) {
      mayGrant(session, catalog.aclOf(object), change, object.owner, `${object.level} ${object.name}`);
      apply(session, catalog.aclOf(object), object.level, change);
      await catalog.project(session.database, object, change.grantees);
    }
  };
}

async function objectsOf(session: Session, cursor: Cursor): Promise<ObjectEntry[]> {
  if (cursor.accept('all')) {
    const kind = cursor.oneOf('tables', 'sequences', 'functions', 'routines', 'procedures');
    if (kind === undefined) throw cursor.error();
    cursor.expect('in', 'schema');
    const level = kind === 'tables' || kind === 'sequences' ? 'table' : 'routine';
    const found: ObjectEntry[] = [];
    for (const path of cursor.list(() => cursor.path()))
      found.push(
        ...(await find(session, level, [...path, '*'])).filter((o) => kind !== 'sequences' || o.level === 'sequence'),
      );
    return found;
  }
  const level =
    (['schema', 'type', 'function', 'procedure', 'sequence', 'table'] as const).find((word) => cursor.accept(word)) ??
    'table';
  const found: ObjectEntry[] = [];
  const kind = level === 'function' || level === 'procedure' ? 'routine' : level === 'sequence' ? 'table' : level;
  const paths = cursor.list(() => {
    const path = cursor.path();
    // Columns cannot be granted on.
    if (cursor.peek?.text === '(' && kind !== 'routine') throw cursor.error();
    let args: string | undefined;
    if (cursor.accept('(')) {
      const from = cursor.at;
      while (!cursor.isAtEnd && cursor.peek?.text !== ')') cursor.at += 1;
      args = cursor.at === from ? '' : cursor.text.slice(cursor.tokens[from]!.start, cursor.tokens[cursor.at - 1]!.end);
      cursor.expect(')');
    }
    return { path, args };
  });
  for (const { path, args } of paths) {
    const all = await find(session, kind, path);
    const chosen = args === undefined ? all : all.filter((object) => isSameList(object.args ?? '', args));
    if (kind === 'routine') one(chosen, path, level);
    if (level === 'sequence' && chosen.some((object) => object.level !== 'sequence'))
      throw new SqlError('42809', `${path.join('.')} is not a sequence`);
    found.push(...chosen);
  }
  return found;
}

const isSameList = (a: string, b: string): boolean =>
  splitArguments(a).map(plainType).join() === splitArguments(b).map(plainType).join();

/** The one routine that a name, with arguments or without, means. */
function one(chosen: readonly ObjectEntry[], path: readonly string[], level: string): void {
  const name = path.join('.');
  if (chosen.length === 0) throw new SqlError('42883', `unknown function: ${name}()`);
  if (chosen.length > 1) throw new SqlError('42725', `function name "${name}" is not unique`);
  if (chosen.some(({ kind }) => kind !== level)) throw new SqlError('42809', `"${name}" is not a ${level}`);
}

async function alterDefaults(session: Session, cursor: Cursor): Promise<Result> {
  const { catalog, state, version } = session.simulator;
  let creators = [session.currentUser];
  if (cursor.accept('for', 'all', 'roles')) creators = [''];
  else if (cursor.accept('for')) {
    if (cursor.oneOf('role', 'user') === undefined) throw cursor.error();
    creators = cursor.list(() => cursor.name());
  }
  const schemas = cursor.accept('in', 'schema') ? cursor.list(() => cursor.path().at(-1) ?? '') : [''];
  const kind = cursor.oneOf('grant', 'revoke') as 'grant' | 'revoke' | undefined;
  if (kind === undefined) throw cursor.error();
  let option = kind === 'revoke' && cursor.accept('grant', 'option', 'for');
  const privileges = words(cursor).map((name) => name.toUpperCase());
  cursor.expect('on');
  const word = cursor.oneOf('tables', 'sequences', 'types', 'schemas', 'functions', 'routines');
  if (word === undefined) throw cursor.error();
  const type = word === 'functions' ? 'routines' : word;
  cursor.expect(kind === 'grant' ? 'to' : 'from');
  const grantees = cursor.list(() => cursor.name());
  if (kind === 'grant' && cursor.accept('with', 'grant', 'option')) option = true;
  if (kind === 'revoke') cursor.oneOf('cascade', 'restrict');
  cursor.end();
  const level = (Object.keys(DEFAULT_TYPES) as Level[]).find((candidate) => DEFAULT_TYPES[candidate] === type)!;
  check(privileges, level, version);
  if (type === 'schemas' && schemas[0] !== '')
    throw new SqlError('0LP01', 'cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS');
  for (const role of [...creators, ...grantees]) if (role !== '') requireRole(session, role);
  for (const creator of creators)
    if (!state.isAdmin(session.currentUser) && (creator === '' || !state.reach(session.currentUser).has(creator)))
      throw new SqlError(
        '42501',
        creator === ''
          ? 'must be an admin to ALTER DEFAULT PRIVILEGES FOR ALL ROLES'
          : `must be a member of ${creator}`,
      );
  const database = await catalog.database(session.database);
  const objects = await catalog.objects(session.database);
  for (const schema of schemas)
    if (schema !== '' && !objects.some((object) => object.level === 'schema' && object.name === schema))
      throw new SqlError('3F000', `schema "${schema}" does not exist`);
  for (const creator of creators)
    for (const schema of schemas) {
      const acl: Acl = new Map(
        [...catalog.defaultsOf(database.oid, creator, schema, type)].map(([k, v]) => [k, new Map(v)]),
      );
      apply(session, acl, level, { kind, option, privileges, grantees });
      const key = defaultsKey(database.oid, creator, schema, type);
      state.defaults.delete(key);
      // What is as it would be anyway is not stored.
      if (textOf(acl) !== textOf(catalog.defaultsOf(database.oid, creator, schema, type))) state.defaults.set(key, acl);
    }
  return { tag: 'ALTER DEFAULT PRIVILEGES' };
}

const textOf = (acl: Acl): string =>
  [...acl]
    .map(([grantee, held]) =>
      JSON.stringify([grantee, [...held].map(([word, option]) => `${word} ${option}`).toSorted()]),
    )
    .toSorted()
    .join(' ');

/** What a role owns in the database of the session. */
async function owned(session: Session, roles: readonly string[]): Promise<ObjectEntry[]> {
  for (const role of roles) {
    requireRole(session, role);
    const { state } = session.simulator;
    if (!state.isAdmin(session.currentUser) && !state.reach(session.currentUser).has(role))
      throw new SqlError('42501', 'permission denied to drop or reassign objects');
  }
  return (await session.simulator.catalog.objects(session.database)).filter(({ owner }) => roles.includes(owner));
}

async function reassignOwned(session: Session, cursor: Cursor): Promise<Result> {
  const { catalog } = session.simulator;
  const roles = cursor.list(() => cursor.name());
  cursor.expect('to');
  const token = cursor.peek;
  const name = cursor.name();
  const to = token?.kind === 'word' && name === 'current_user' ? session.currentUser : name;
  cursor.end();
  requireRole(session, to);
  for (const object of await owned(session, roles))
    await catalog.run(session.database, `ALTER ${definition(object)} OWNER TO ${quoted(to)}`);
  return { tag: 'REASSIGN OWNED BY' };
}

async function dropOwned(session: Session, cursor: Cursor): Promise<Result> {
  const { catalog, state } = session.simulator;
  const roles = cursor.list(() => cursor.name());
  if (cursor.accept('cascade'))
    throw new SqlError('0A000', 'unimplemented: DROP OWNED BY CASCADE is not yet supported');
  cursor.accept('restrict');
  cursor.end();
  for (const role of roles)
    if (hasSynthetic(state, role))
      throw new SqlError(
        '0A000',
        `cannot perform drop owned by if role has synthetic privileges; ${role} has entries in system.privileges`,
      );
  const objects = (await owned(session, roles)).filter(({ level }) => level !== 'type');
  const first = ['table', 'sequence', 'routine'];
  for (const object of objects.toSorted((a, b) => first.indexOf(b.level) - first.indexOf(a.level))) {
    const dependents =
      object.level === 'schema'
        ? (await catalog.objects(session.database)).some(({ schema }) => schema === object.name)
        : false;
    if (dependents) throw new SqlError('2BP01', `cannot drop desired object(s) because other objects depend on them`);
    await catalog.run(session.database, `DROP ${definition(object)}`);
  }
  const databaseAcl = await catalog.databaseAcl(session.database);
  for (const role of roles) databaseAcl.delete(role);
  await catalog.projectDatabase(session.database, roles);
  for (const object of await catalog.objects(session.database)) {
    const acl = catalog.aclOf(object);
    const held = roles.filter((role) => acl.delete(role));
    if (held.length > 0) await catalog.project(session.database, object, held);
  }
  return { tag: 'DROP OWNED BY' };
}
