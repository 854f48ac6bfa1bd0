/** CREATE, ALTER and DROP ROLE, and memberships. */
import { Secret } from '../../../provider/common/secret.ts';
import { isVerifier, scramVerifier } from '../../../provider/engines/postgres/scram.ts';
import { quoted } from './backend.ts';
import type { Handler } from './execute.ts';
import type { Session } from './session.ts';
import { hasSynthetic, PUBLIC, type Role } from './state.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

const OPTIONS = [
  'createrole',
  'createdb',
  'createlogin',
  'controljob',
  'controlchangefeed',
  'viewactivity',
  'viewactivityredacted',
  'cancelquery',
  'modifyclustersetting',
  'viewclustersetting',
  'replication',
];

export const roles: Handler = async (session, cursor) => {
  const verb = cursor.oneOf('create role', 'create user', 'alter role', 'alter user', 'drop role', 'drop user');
  if (verb === undefined) return undefined;
  const [action, kind] = verb.split(' ');
  if (action === 'create') return await create(session, cursor, kind === 'user');
  return action === 'alter' ? await alter(session, cursor) : await drop(session, cursor);
};

/** Names of roles are folded to lower case whether they are quoted or not. */
function roleName(cursor: Cursor): string {
  const token = cursor.peek;
  const name = cursor.name().toLowerCase();
  if (token?.kind === 'word' && (name === 'current_user' || name === 'session_user'))
    throw new SqlError('42939', `${name} cannot be used as a role name here`);
  if (name === 'none' || name === PUBLIC || name.startsWith('pg_') || name.startsWith('crdb_internal'))
    throw new SqlError('42939', `role name "${name}" is reserved`);
  if (name.length > 63 || !/^[\p{Ll}\p{Lo}\p{N}_][\p{Ll}\p{Lo}\p{N}_.-]*$/u.test(name))
    throw new SqlError('42602', `"${name}": username is invalid`);
  return name;
}

function mayManage({ simulator: { state }, currentUser }: Session): void {
  if (!state.hasOption(currentUser, 'CREATEROLE'))
    throw new SqlError('42501', `user ${currentUser} does not have CREATEROLE privilege`);
}

async function create(session: Session, cursor: Cursor, isUser: boolean): Promise<Result> {
  const { state, catalog } = session.simulator;
  const ifNotExists = cursor.accept('if', 'not', 'exists');
  const name = roleName(cursor);
  mayManage(session);
  const tag = isUser ? 'CREATE ROLE' : 'CREATE ROLE';
  if (state.roles.has(name)) {
    if (ifNotExists) return { tag };
    throw new SqlError('42710', `a role/user named ${name} already exists`);
  }
  const role: Role = { name, login: isUser, options: new Set(), memberOf: new Map() };
  await options(session, cursor, role);
  await catalog.run('postgres', `CREATE ROLE ${quoted(name)} LOGIN`);
  state.roles.set(name, role);
  await mirror(session, role);
  return { tag };
}

/** A list is several values: commas in one are taken for a mistake. */
export function refuseCommas(cursor: Cursor): void {
  const [, name, , ...values] = cursor.tokens.slice(cursor.at);
  const wrong = values.find(({ kind, text }) => kind === 'string' && text.includes(','));
  if (name?.text === 'search_path' && wrong !== undefined)
    throw new SqlError(
      '0A000',
      `unimplemented: schema name ${JSON.stringify(wrong.text)} has commas so is not supported in search_path.`,
    );
}

async function alter(session: Session, cursor: Cursor): Promise<Result> {
  const { state, catalog } = session.simulator;
  const isAll = cursor.accept('all');
  const ifExists = cursor.accept('if', 'exists');
  const name = isAll ? '' : roleName(cursor);
  const role = state.roles.get(name);
  if (!isAll && role === undefined) {
    if (ifExists) return { tag: 'ALTER ROLE' };
    throw new SqlError('42704', `role/user "${name}" does not exist`);
  }
  mayManage(session);
  const database = cursor.accept('in', 'database') ? cursor.name() : undefined;
  if (['set', 'reset'].includes(cursor.peek?.text ?? '')) {
    refuseCommas(cursor);
    const rest = cursor.text.slice(cursor.peek!.start);
    const place = database === undefined ? '' : ` IN DATABASE ${quoted(database)}`;
    await catalog.run('postgres', `ALTER ROLE ${isAll ? 'ALL' : quoted(name)}${place} ${rest}`);
    return { tag: 'ALTER ROLE' };
  }
  if (role === undefined) throw cursor.error();
  if (name === 'root' || name === 'admin')
    throw new SqlError('42501', `cannot edit ${name} ${name === 'root' ? 'user' : 'role'}`);
  if (state.isAdmin(name) && !state.isAdmin(session.currentUser))
    throw new SqlError('42501', `only users with the admin role are allowed to alter admins`);
  const changed: Role = { ...role, options: new Set(role.options) };
  await options(session, cursor, changed);
  Object.assign(role, changed);
  if (changed.validUntil === undefined) delete role.validUntil;
  if (changed.verifier === undefined) delete role.verifier;
  await mirror(session, role);
  return { tag: 'ALTER ROLE' };
}

async function options(session: Session, cursor: Cursor, role: Role): Promise<void> {
  cursor.accept('with');
  const seen = new Set<string>();
  while (!cursor.isAtEnd) {
    const token = cursor.peek!;
    const word = cursor.name();
    const plain = word.replace(/^no/, '');
    if (seen.has(plain)) throw new SqlError('42601', 'redundant role options');
    seen.add(plain);
    if (word === 'login' || word === 'nologin' || word === 'sqllogin' || word === 'nosqllogin')
      role.login = !word.startsWith('no');
    else if (word === 'password') await password(session, cursor, role);
    else if (word === 'valid') {
      cursor.expect('until');
      if (cursor.accept('null')) delete role.validUntil;
      else {
        const until = new Date(cursor.string());
        if (Number.isNaN(until.getTime())) throw new SqlError('22007', 'could not parse the timestamp of VALID UNTIL');
        role.validUntil = until;
      }
    } else if (OPTIONS.includes(plain) || (plain === 'bypassrls' && session.simulator.version >= 250_200)) {
      if (word.startsWith('no')) role.options.delete(plain.toUpperCase());
      else role.options.add(plain.toUpperCase());
    } else throw cursor.error(token);
  }
}

async function password({ simulator, currentUser }: Session, cursor: Cursor, role: Role): Promise<void> {
  if (!simulator.state.hasOption(currentUser, 'CREATELOGIN'))
    throw new SqlError('42501', `user ${currentUser} does not have CREATELOGIN privilege`);
  if (cursor.accept('null')) {
    delete role.verifier;
    return;
  }
  const text = cursor.string();
  if (text === '') throw new SqlError('22023', 'empty passwords are not permitted');
  role.verifier = isVerifier(text) ? text : (await scramVerifier(new Secret(text))).reveal();
}

/** PostgreSQL enforces rights by roles of its own. */
async function mirror({ simulator: { state, catalog } }: Session, role: Role): Promise<void> {
  const until = role.validUntil === undefined ? 'infinity' : role.validUntil.toISOString();
  const words = [
    role.login ? 'LOGIN' : 'NOLOGIN',
    state.isAdmin(role.name) ? 'SUPERUSER' : 'NOSUPERUSER',
    `VALID UNTIL '${until}'`,
  ];
  await catalog.run('postgres', `ALTER ROLE ${quoted(role.name)} WITH ${words.join(' ')}`);
}

async function drop(session: Session, cursor: Cursor): Promise<Result> {
  const { state, catalog } = session.simulator;
  const ifExists = cursor.accept('if', 'exists');
  const names = cursor.list(() => roleName(cursor));
  cursor.end();
  mayManage(session);
  for (const name of names) {
    if (name === 'root' || name === 'admin')
      throw new SqlError('42501', `cannot drop ${name === 'root' ? 'user' : 'special role'} ${name}`);
    if (!state.roles.has(name) && !ifExists) throw new SqlError('42704', `role/user "${name}" does not exist`);
    const what = await dependency(session, name);
    if (what !== undefined) throw new SqlError('2BP01', what);
  }
  for (const name of names) {
    if (!state.roles.delete(name)) continue;
    for (const role of state.roles.values()) role.memberOf.delete(name);
    await catalog.run('postgres', `DROP ROLE ${quoted(name)}`);
  }
  return { tag: 'DROP ROLE' };
}

async function dependency(session: Session, name: string): Promise<string | undefined> {
  const { state, catalog } = session.simulator;
  const cannot = `cannot drop role/user ${name}`;
  if (hasSynthetic(state, name)) return `${cannot}: it has entries in system.privileges`;
  const schedule = [...state.schedules.values()].find(({ owner }) => owner === name);
  if (schedule !== undefined) return `${cannot}; it owns schedule ${schedule.id} and cannot be dropped`;
  for (const database of await catalog.databases()) {
    if (database.owner === name)
      return `role ${name} cannot be dropped because some objects depend on it\nowner of database ${database.name}`;
    if ((await catalog.databaseAcl(database.name)).has(name))
      return `${cannot}: grants still exist on ${database.name}`;
    for (const object of await catalog.objects(database.name)) {
      const path = `${database.name}.${object.level === 'schema' ? '' : `${object.schema}.`}${object.name}`;
      if (object.owner === name)
        return `role ${name} cannot be dropped because some objects depend on it\nowner of ${object.level} ${path}`;
      if (catalog.aclOf(object).has(name)) return `${cannot}: grants still exist on ${path}`;
    }
  }
  for (const [key, acl] of state.defaults) {
    const [oid, creator, , type = ''] = JSON.parse(key) as string[];
    if (creator === name || acl.has(name))
      return `role ${name} cannot be dropped because some objects depend on it\nprivileges for default privileges on new ${type} in database ${oid}`;
  }
  return undefined;
}

/** GRANT role TO member, and REVOKE; the cursor is after the list of roles. */
export async function changeMemberships(
  session: Session,
  groups: readonly string[],
  members: readonly string[],
  change: { kind: 'grant' | 'revoke'; admin: boolean },
): Promise<Result> {
  const { state, catalog } = session.simulator;
  for (const name of [...groups, ...members])
    if (!state.roles.has(name)) throw new SqlError('42704', `role/user "${name}" does not exist`);
  for (const group of groups) {
    const isHolder = [...state.reach(session.currentUser)].some(
      (role) => state.roles.get(role)?.memberOf.get(group) === true,
    );
    const suffices =
      state.isAdmin(session.currentUser) ||
      (group !== 'admin' && (isHolder || state.hasOption(session.currentUser, 'CREATEROLE')));
    if (!suffices)
      throw new SqlError('42501', `${session.currentUser} is not a superuser or role admin for role ${group}`);
    for (const member of members) {
      const role = state.roles.get(member)!;
      if (change.kind === 'revoke') {
        if (member === 'root' && group === 'admin')
          throw new SqlError('42501', 'role/user root cannot be removed from role admin or lose the ADMIN OPTION');
        if (change.admin) {
          if (role.memberOf.has(group)) role.memberOf.set(group, false);
        } else role.memberOf.delete(group);
        await catalog.run(
          'postgres',
          `REVOKE ${change.admin ? 'ADMIN OPTION FOR ' : ''}${quoted(group)} FROM ${quoted(member)}`,
        );
        continue;
      }
      if (member === group) throw new SqlError('0LP01', `${group} cannot be a member of itself`);
      if (state.reach(group).has(member))
        throw new SqlError('0LP01', `making ${member} a member of ${group} would create a cycle`);
      role.memberOf.set(group, change.admin || role.memberOf.get(group) === true);
      await catalog.run(
        'postgres',
        `GRANT ${quoted(group)} TO ${quoted(member)}${change.admin ? ' WITH ADMIN OPTION' : ''}`,
      );
    }
  }
  for (const role of state.roles.values())
    if (role.name !== 'root' && role.name !== 'admin') await mirror(session, role);
  return { tag: change.kind.toUpperCase() };
}
