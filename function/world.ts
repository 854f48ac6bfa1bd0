/** What one claim stands for, with every name known: what the files in expand/ read. */
import { type EngineName, TRAITS } from '../provider/api/engines.ts';
import { parseDuration } from '../provider/common/duration.ts';
import { type Choice, choose } from './choice.ts';
import type { Access, ClaimRole, ClaimSpec } from './claim.ts';
import { ClaimError } from './errors.ts';
import type { Input } from './input.ts';
import { filled, type Naming, namingOf } from './naming.ts';

/** A login of the claim, with its name on the server. */
export interface Login extends ClaimRole {
  username: string;
  /** Secret with its credentials, in the namespace of the claim. */
  secretName: string;
}

/** Where composed resources go, and after what they are named. */
export interface Place {
  /** Name of the claim, or of the composite when there is no claim. */
  name: string;
  namespace: string;
  /** Whether the composite came from a claim, for which Crossplane itself writes the connection Secret. */
  legacy: boolean;
  /** When the composite was made (RFC 3339); undefined where nobody has made it, as on the command line. */
  createdAt: string | undefined;
}

export interface World extends Place, Choice {
  database: string;
  /** Groups that nobody logs in as, by what they may do, where the engine has groups. */
  groups: Record<Exclude<Access, 'none'>, string>;
  logins: Login[];
  /** The login whose credentials the connection Secret of the claim holds. */
  connectionLogin: Login | undefined;
  /** When it ends (RFC 3339). */
  expiresAt: string | undefined;
}

/** Names that belong to the server itself. */
const RESERVED_DATABASES: Record<EngineName, readonly string[]> = {
  postgres: ['postgres', 'template0', 'template1'],
  mysql: ['mysql', 'sys', 'information_schema', 'performance_schema'],
  mariadb: ['mysql', 'sys', 'information_schema', 'performance_schema'],
  cockroachdb: ['system', 'postgres', 'defaultdb', 'crdb_internal'],
};
const RESERVED_ROLES: Record<EngineName, readonly string[]> = {
  postgres: ['postgres', 'public', 'PUBLIC', 'none', 'current_user', 'session_user', 'current_role'],
  mysql: ['root', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'public'],
  mariadb: ['root', 'mariadb.sys', 'public'],
  cockroachdb: ['root', 'admin', 'node', 'public', 'PUBLIC', 'none'],
};
/** Longest user name, in bytes. */
const USERNAME_BYTES: Record<EngineName, number> = { postgres: 63, mysql: 32, mariadb: 80, cockroachdb: 63 };
const DATABASE_BYTES = 63;
const SECRET_NAME_CHARACTERS = 253;

const quoted = (name: string): string => JSON.stringify(name);

/** Where rights go with a database, and not with who owns what is in it, logins have them without groups. */
export const hasGroups = (engine: EngineName): boolean => TRAITS[engine].hasSchemas;

function checkName(path: string, name: string, limit: number, reserved: readonly string[]): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > limit) throw new ClaimError(path, `${quoted(name)} has ${bytes} bytes; allowed: ${limit}`);
  if (name.includes('\0')) throw new ClaimError(path, `${quoted(name)} holds a zero byte`);
  if (reserved.includes(name)) throw new ClaimError(path, `${quoted(name)} belongs to the server itself`);
}

function checkGroups(path: string, groups: readonly string[], username: string): void {
  if (groups.includes(username)) throw new ClaimError(path, `${quoted(username)} is the role itself`);
}

function groupsOf(database: string, engine: EngineName): World['groups'] {
  const groups = { owner: `${database}_owner`, readWrite: `${database}_writers`, readOnly: `${database}_readers` };
  if (!hasGroups(engine)) return groups;
  for (const name of Object.values(groups))
    checkName('spec.databaseName', name, USERNAME_BYTES[engine], RESERVED_ROLES[engine]);
  if (database.startsWith('pg_'))
    throw new ClaimError('spec.databaseName', 'cannot begin with pg_: the server keeps roles of such names for itself');
  return groups;
}

type Names = Pick<World, 'engine' | 'database' | 'groups' | 'name' | 'namespace' | 'className'>;

function loginsOf(spec: ClaimSpec, names: Names, naming: Naming): Login[] {
  const { engine, groups } = names;
  const owners = new Map<string, string>();
  if (hasGroups(engine)) {
    owners.set(groups.owner, 'the group that owns the database');
    owners.set(groups.readWrite, 'the group of those who write');
    owners.set(groups.readOnly, 'the group of those who read');
  }
  return (spec.roles ?? []).map((role, index) => {
    const path = `spec.roles[${index}].${role.username === undefined ? 'name' : 'username'}`;
    const parts = { ...names, role: role.name };
    const username = role.username ?? filled(naming.username, parts, 'name on the server');
    checkName(path, username, USERNAME_BYTES[engine], RESERVED_ROLES[engine]);
    if (hasGroups(engine) && username.startsWith('pg_'))
      throw new ClaimError(path, `${quoted(username)} begins with pg_, which the server keeps for itself`);
    const taken = owners.get(username);
    if (taken !== undefined) throw new ClaimError(path, `${quoted(username)} is also the name of ${taken}`);
    owners.set(username, `role ${role.name}`);
    const secretName = filled(naming.secret, parts, 'name in Kubernetes');
    if (secretName.length > SECRET_NAME_CHARACTERS)
      throw new ClaimError(
        `spec.roles[${index}].name`,
        `its Secret would be ${quoted(secretName)}, of ${secretName.length} characters; allowed: ${SECRET_NAME_CHARACTERS}`,
      );
    if (role.memberOf !== undefined) checkGroups(`spec.roles[${index}].memberOf`, role.memberOf, username);
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

/** Longest time that JavaScript's dates, and people, can make something of. */
const LONGEST_MS = 100 * 365 * 24 * 3_600_000;

function expiryOf(spec: ClaimSpec, createdAt: string | undefined): string | undefined {
  if (spec.expiresAfter === undefined) return undefined;
  const after = parseDuration(spec.expiresAfter);
  if (after < 60_000 || after > LONGEST_MS)
    throw new ClaimError('spec.expiresAfter', `${spec.expiresAfter} is out of range; allowed: 1m to 876000h`);
  const start = Date.parse(createdAt ?? '');
  if (Number.isNaN(start)) return undefined;
  return new Date(start + after).toISOString().replace(/\.\d+Z$/, 'Z');
}

const SHORTEST_ROTATION_MS = 60_000;

function checkRotation(path: string, rotation: ClaimSpec['passwordRotation']): void {
  if (rotation?.every !== undefined && parseDuration(rotation.every) < SHORTEST_ROTATION_MS)
    throw new ClaimError(`${path}.every`, `${rotation.every} is out of range; allowed: 1m or more`);
}

function checkRotations({ passwordRotation, roles = [] }: ClaimSpec): void {
  checkRotation('spec.passwordRotation', passwordRotation);
  for (const [index, role] of roles.entries()) {
    const path = `spec.roles[${index}].passwordRotation`;
    if (role.passwordRotation !== undefined && role.passwordSecretRef !== undefined)
      throw new ClaimError(path, 'is for generated passwords: it cannot be used with passwordSecretRef');
    checkRotation(path, role.passwordRotation);
  }
}

/** Names of settings are the same in small letters and in capitals. */
function checkSettings({ database }: ClaimSpec): void {
  const names = (database?.settings ?? []).map(({ name }) => name.toLowerCase());
  const repeated = names.findIndex((name, index) => names.indexOf(name) < index);
  if (repeated >= 0)
    throw new ClaimError(`spec.database.settings[${repeated}].name`, `${quoted(names[repeated]!)} is given twice`);
}

/** @throws ClaimError naming the field that makes it impossible to say what is wanted. */
export function worldOf(place: Place, asked: ClaimSpec, input: Input): World {
  const choice = choose(asked, input);
  const { engine, spec, className } = choice;
  const naming = namingOf(input);
  const database = spec.databaseName ?? filled(naming.database, { ...place, engine, className }, 'name on the server');
  checkName('spec.databaseName', database, DATABASE_BYTES, RESERVED_DATABASES[engine]);
  checkSettings(spec);
  checkRotations(spec);
  const groups = groupsOf(database, engine);
  const logins = loginsOf(spec, { ...place, engine, className, database, groups }, naming);
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
  const expiresAt = expiryOf(spec, place.createdAt);
  return { ...place, ...choice, database, groups, logins, connectionLogin, expiresAt };
}
