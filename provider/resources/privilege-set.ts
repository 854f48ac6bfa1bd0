/**
 * Names of privileges: which exist for an object, what ALL means there, and which words are one privilege.
 * The names themselves are data of each engine.
 */
import { invalidSpec, ResourceError } from '../common/errors.ts';
import type { ObjectType } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';

/** The first version that has something. */
export interface Since {
  versionNumber: number;
  /** As people say it, e.g. "17". */
  label: string;
}

export interface PrivilegeEntry {
  name: string;
  aliases?: readonly string[];
  since?: Since;
  /** Not among what ALL means. */
  notInAll?: true;
}

/** Entries that have been there in every version. */
export const named = (...names: string[]): PrivilegeEntry[] => names.map((name) => ({ name }));

/** What privileges a server has beyond those of its version: only it can tell. */
type Server = Pick<ServerInfo, 'product' | 'versionNumber' | 'dynamicPrivileges'>;

export interface ObjectPrivileges {
  /** How the object is named in messages, with its article: "a table". */
  words: string;
  /** What the object lives in, and so which fields a Grant needs to name it. */
  within: 'server' | 'database' | 'schema';
  privileges: readonly PrivilegeEntry[];
  since?: Since;
  /** What everybody holds on a new object. */
  publicByDefault?: readonly string[];
  /** The privilege that WITH GRANT OPTION is, where it belongs to the grantee's whole entry and not to each privilege. */
  option?: string;
  /** Whether the server has further ones here, each with an option of its own. */
  dynamic?: true;
}

export type PrivilegeTarget = ObjectType | 'column';

/** Everything that an engine's privileges are, as data. */
export interface PrivilegeTable {
  product: string;
  objects: Readonly<Partial<Record<PrivilegeTarget, ObjectPrivileges>>>;
  /** Kinds of object that default privileges can be set for; the names are those of DefaultPrivileges. */
  defaults: Readonly<Record<string, ObjectPrivileges>>;
  /** Whether revoking a privilege on a table also revokes it on each of its columns. */
  tableRevokeReachesColumns: boolean;
  /** Whether everybody is a grantee. */
  public: boolean;
  /** Whether a grantee is a name at a host. */
  hosts: boolean;
  /** The schema public that every new database has, where there is one. */
  publicSchema?: (server: ServerInfo) => { owner: string; publicPrivileges: string[] };
  /** The first version whose memberships have the options INHERIT and SET; absent = none has. */
  membershipOptions?: Since;
  /** Whether objects belong to nobody, live in databases without schemas, and grants have no grantor. */
  ownerless?: true;
}

/** Picks the object's row, and says which version or product would have it when this server has not. */
export function objectPrivileges(
  table: Readonly<Partial<Record<string, ObjectPrivileges>>>,
  type: string,
  server: ServerInfo,
): ObjectPrivileges {
  const object = table[type];
  if (object === undefined) throw invalidSpec(`${server.product} has no privileges on objects of type ${type}`);
  if (object.since !== undefined && server.versionNumber < object.since.versionNumber)
    throw invalidSpec(
      `privileges on ${object.words} need version ${object.since.label} or newer, and the server is ${server.product}`,
    );
  return object;
}

const ALL = new Set(['ALL', 'ALL PRIVILEGES']);

/**
 * The privileges that the words mean on such an object of that server: upper case, without aliases and duplicates,
 * in the order of the table. Throws InvalidSpec for a word that the object has not.
 */
export function expandPrivileges(words: readonly string[], object: ObjectPrivileges, server: Server): string[] {
  const available = availableOn(object, server);
  const chosen = new Set<string>();
  for (const word of words) {
    const name = word.trim().replace(/\s+/g, ' ').toUpperCase();
    if (ALL.has(name)) {
      for (const entry of available) if (entry.notInAll !== true) chosen.add(entry.name);
      continue;
    }
    const entry = [...object.privileges, ...available].find((e) => e.name === name || e.aliases?.includes(name));
    if (entry === undefined)
      throw invalidSpec(
        `privileges: ${JSON.stringify(word)} is not a privilege on ${object.words}; allowed are ALL, ${available.map((e) => e.name).join(', ')}`,
      );
    if (!has(server, entry))
      throw invalidSpec(
        `privileges: ${entry.name} on ${object.words} needs version ${entry.since?.label} or newer, and the server is ${server.product}`,
      );
    chosen.add(entry.name);
  }
  return available.map((entry) => entry.name).filter((name) => chosen.has(name));
}

/** What such an object can be granted on that server. */
export function availableOn(object: ObjectPrivileges, server: Server): PrivilegeEntry[] {
  const known = object.privileges.filter((entry) => has(server, entry));
  const dynamic = object.dynamic === true ? (server.dynamicPrivileges ?? []) : [];
  return [...known, ...dynamic.map((name) => ({ name }))];
}

const has = (server: Pick<ServerInfo, 'versionNumber'>, entry: PrivilegeEntry): boolean =>
  entry.since === undefined || server.versionNumber >= entry.since.versionNumber;

/** For deletion: a spec that is wrong by now gives nothing, and must not keep its resource alive. */
export function unlessInvalid<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ResourceError && error.reason === 'InvalidSpec') return undefined;
    throw error;
  }
}
