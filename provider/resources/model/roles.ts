/** What is observed of roles, and of the accounts that some servers have instead. */
import type { Setting } from './databases.ts';
import type { Mark } from './objects.ts';

export interface RoleAttributes {
  superUser?: boolean;
  createDb?: boolean;
  createRole?: boolean;
  login?: boolean;
  inherit?: boolean;
  replication?: boolean;
  bypassRls?: boolean;
}

export interface Membership {
  role: string;
  admin?: boolean;
  inherit?: boolean;
  set?: boolean;
}

/** What an account of MySQL or MariaDB has besides its privileges. */
export interface AccountOptions {
  require?: {
    type: 'NONE' | 'SSL' | 'X509' | 'SPECIFIED';
    subject?: string;
    issuer?: string;
    cipher?: string;
  };
  /** 0 = no limit. */
  limits?: { maxQueriesPerHour?: number; maxUpdatesPerHour?: number; maxConnectionsPerHour?: number };
  locked?: boolean;
  /** 0 = the password never expires, null = the server's default counts. */
  passwordLifetimeDays?: number | null;
}

export interface AccountObserved extends AccountOptions {
  /** Authentication plugin. */
  plugin: string;
  /** Whether the plugin compares passwords, so that one can be set and checked. */
  takesPassword: boolean;
  /** Whether the password before the last is still taken. */
  retainsPassword?: boolean;
}

/** The plugin that an account shall log in with; `authString` when the spec says what the plugin stores. */
export interface WantedPlugin {
  name: string;
  authString?: string;
}

export interface RoleObserved {
  name: string;
  host?: string;
  attributes: RoleAttributes;
  connectionLimit?: number;
  settings: Setting[];
  memberOf: (Membership & { grantor?: string })[];
  validUntil?: string;
  account?: AccountObserved;
  mark?: Mark;
  /** The mark was made for this role, but the creation was cut off before the role had it. */
  isMarkPending?: true;
}

/** An account of the same name, at its host. */
export interface Namesake {
  host: string;
  mark?: Mark;
}

/** What keeps a role from being dropped. */
export interface RoleDependencies {
  /** Where nothing is owned: what it is the definer of, and so lends its rights to. */
  owned: { database: string; objects: string[]; count: number }[];
  /** All databases that it owns, or where nothing is owned, those in which it is the definer of something. */
  ownedDatabases: string[];
  /** Where something is to be given up. */
  databases: string[];
  /** The uids in the marks of accounts of that name, those that are gone included, where marks stand by themselves. */
  marks?: string[];
}
