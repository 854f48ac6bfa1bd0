/** What is known of a server once somebody has logged in. */
import type { EngineName } from '../../api/engines.ts';

export interface ServerInfo {
  engine: EngineName;
  /** Product and version as the server says it, e.g. "PostgreSQL 18.4". */
  product: string;
  /** e.g. 180004 for PostgreSQL 18.4, 90704 for MySQL 9.7.4. */
  versionNumber: number;
  major: number;
  /** The administrator that we are logged in as, and what it may do. */
  admin: { name: string; superUser: boolean; createRole: boolean; createDb: boolean };
  /** Kinds of objects that cannot carry a mark on this server. Not given: all that we make carry one. */
  unmarked?: readonly ('Database' | 'Role' | 'Schema' | 'Extension')[];
  /** Whether DROP DATABASE can refuse one that holds something. */
  restrictsDrops?: boolean;
  /** Identifies the server behind several addresses, where it can be read. */
  systemIdentifier?: string;
  /** Where logins are accounts with a host and an authentication plugin. */
  accounts?: {
    /** Plugins whose accounts log in with a password that we set. */
    passwordPlugins: readonly string[];
    /** Whether an account may have two passwords for a while. */
    dualPasswords: boolean;
    /** How many groups a login may have the rights of from the start: a list that is kept apart from memberships. */
    defaultRoles: 'one' | 'many';
    /** Whether the mark of an account stays when somebody drops the account. */
    marksOutlive: boolean;
  };
  /** Whether names of databases that differ in capitals only are one name, written in small letters. */
  foldsDatabaseNames?: boolean;
  /** Server-wide privileges that depend on what the server has loaded, sorted. */
  dynamicPrivileges?: readonly string[];
  /** Whether `_` and `%` in the database of a grant stand for other characters. */
  databaseWildcards?: boolean;
}
