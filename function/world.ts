/** What one claim stands for, with every name known: what the files in expand/ read. */
import { type Choice, choose } from './choice.ts';
import type { ClaimRole, ClaimSpec, EngineName } from './claim.ts';
import { ClaimError } from './errors.ts';
import type { Input } from './input.ts';

/** A login of the claim, with its name on the server. */
export interface Login extends ClaimRole {
  username: string;
  /** Secret with its credentials, in the namespace of the claim. */
  secretName: string;
}

export interface World extends Choice {
  /** Name of the claim, or of the composite when there is no claim. */
  name: string;
  namespace: string;
  /** Whether the composite came from a claim, for which Crossplane itself writes the connection Secret. */
  legacy: boolean;
  spec: ClaimSpec;
  database: string;
  /** The group that owns everything, where the engine has owners. */
  ownerGroup: string;
  logins: Login[];
  /** The login whose credentials the connection Secret of the claim holds. */
  connectionLogin: Login | undefined;
}

/** Names that belong to the server itself. */
const RESERVED_DATABASES: Record<EngineName, readonly string[]> = {
  postgres: ['postgres', 'template0', 'template1'],
  mysql: ['mysql', 'sys', 'information_schema', 'performance_schema'],
  mariadb: ['mysql', 'sys', 'information_schema', 'performance_schema'],
  cockroachdb: ['system', 'postgres', 'defaultdb', 'crdb_internal'],
};
const RESERVED_ROLES: Record<EngineName, readonly string[]> = {
  postgres: ['postgres', 'public', 'none', 'current_user', 'session_user', 'current_role'],
  mysql: ['root', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'public'],
  mariadb: ['root', 'mariadb.sys', 'public'],
  cockroachdb: ['root', 'admin', 'node', 'public', 'none'],
};
/** Longest user name, in bytes. */
const USERNAME_BYTES: Record<EngineName, number> = { postgres: 63, mysql: 32, mariadb: 80, cockroachdb: 63 };
const DATABASE_BYTES = 63;
const SECRET_NAME_CHARACTERS = 253;

const quoted = (name: string): string => JSON.stringify(name);

function checkName(path: string, name: string, limit: number, reserved: readonly string[]): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > limit) throw new ClaimError(path, `${quoted(name)} has ${bytes} bytes; allowed: ${limit}`);
  if (name.includes('\0')) throw new ClaimError(path, `${quoted(name)} holds a zero byte`);
  if (reserved.includes(name)) throw new ClaimError(path, `${quoted(name)} belongs to the server itself`);
}

function checkGroups(path: string, groups: readonly string[], username: string, engine: EngineName): void {
  if (engine === 'mysql' || engine === 'mariadb') throw new ClaimError(path, `is not known to ${engine}`);
  if (new Set(groups).size < groups.length) throw new ClaimError(path, 'names a role twice');
  if (groups.includes(username)) throw new ClaimError(path, `${quoted(username)} is the role itself`);
}

function loginsOf(spec: ClaimSpec, engine: EngineName, database: string, ownerGroup: string, name: string): Login[] {
  const owners = new Map<string, string>();
  const hasGroup = engine === 'postgres' || engine === 'cockroachdb';
  if (hasGroup) owners.set(ownerGroup, 'the group that owns the database');
  return (spec.roles ?? []).map((role, index) => {
    const path = `spec.roles[${index}].${role.username === undefined ? 'name' : 'username'}`;
    const username = role.username ?? `${database}_${role.name.replaceAll('-', '_')}`;
    checkName(path, username, USERNAME_BYTES[engine], RESERVED_ROLES[engine]);
    if (hasGroup && username.startsWith('pg_'))
      throw new ClaimError(path, `${quoted(username)} begins with pg_, which the server keeps for itself`);
    const taken = owners.get(username);
    if (taken !== undefined) throw new ClaimError(path, `${quoted(username)} is also the name of ${taken}`);
    owners.set(username, `role ${role.name}`);
    const secretName = `${name}-${role.name}`;
    if (secretName.length > SECRET_NAME_CHARACTERS)
      throw new ClaimError(
        `spec.roles[${index}].name`,
        `its Secret would be ${quoted(secretName)}, of ${secretName.length} characters; allowed: ${SECRET_NAME_CHARACTERS}`,
      );
    if (role.memberOf !== undefined) checkGroups(`spec.roles[${index}].memberOf`, role.memberOf, username, engine);
    return { ...role, username, secretName };
  });
}

function connectionLoginOf(spec: ClaimSpec, logins: readonly Login[]): Login | undefined {
  if (spec.connectionRole === undefined) {
    const first = (wanted: Login['access']): Login | undefined => logins.find(({ access }) => access === wanted);
    return first('readWrite') ?? first('owner') ?? logins[0];
  }
  const found = logins.find(({ name }) => name === spec.connectionRole);
  if (found === undefined) {
    const known = logins.map(({ name }) => name).join(', ');
    throw new ClaimError(
      'spec.connectionRole',
      `${quoted(spec.connectionRole)} is not one of the roles; allowed: ${known === '' ? 'none, as there are no roles' : known}`,
    );
  }
  return found;
}

/** @throws ClaimError naming the field that makes it impossible to say what is wanted. */
export function worldOf(
  place: { name: string; namespace: string; legacy: boolean },
  spec: ClaimSpec,
  input: Input,
): World {
  const choice = choose(spec, input);
  const { engine } = choice;
  const database = spec.databaseName ?? place.name.replaceAll(/[-.]/g, '_');
  checkName('spec.databaseName', database, DATABASE_BYTES, RESERVED_DATABASES[engine]);
  const ownerGroup = `${database}_owner`;
  if (engine === 'postgres' || engine === 'cockroachdb') {
    checkName('spec.databaseName', ownerGroup, USERNAME_BYTES[engine], RESERVED_ROLES[engine]);
    if (ownerGroup.startsWith('pg_'))
      throw new ClaimError(
        'spec.databaseName',
        'cannot begin with pg_: the server keeps roles of such names for itself',
      );
  }
  const logins = loginsOf(spec, engine, database, ownerGroup, place.name);
  const connectionLogin = connectionLoginOf(spec, logins);
  const secret = spec.writeConnectionSecretToRef?.name;
  if (secret !== undefined) {
    const clash = logins.find(({ secretName }) => secretName === secret);
    if (clash !== undefined)
      throw new ClaimError(
        'spec.writeConnectionSecretToRef.name',
        `${quoted(secret)} is the Secret of role ${clash.name}`,
      );
    if (connectionLogin === undefined)
      throw new ClaimError('spec.writeConnectionSecretToRef', 'needs at least one role, whose credentials it holds');
  }
  return { ...place, ...choice, spec, database, ownerGroup, logins, connectionLogin };
}
