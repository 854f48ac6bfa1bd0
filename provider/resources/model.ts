/**
 * What is desired of, and observed on, an SQL server: plain data without engine or Kubernetes in it.
 * Names are as the server has them, unquoted.
 */
import type { Secret } from './secret.ts';

export type ObjectType =
  | 'database'
  /** Every database whose name matches, where the server grants on such patterns; `name` is the pattern as it is stored. */
  | 'databasePattern'
  | 'schema'
  | 'table'
  | 'sequence'
  | 'routine'
  | 'type'
  | 'language'
  | 'foreignDataWrapper'
  | 'foreignServer'
  | 'tablespace'
  | 'parameter'
  | 'largeObject'
  | 'global'
  /** An account that another may act as; `name` is the account. */
  | 'proxy';

/** One object that privileges are granted on. `name: '*'` is every object of that type in the schema. */
export interface ObjectTarget {
  type: ObjectType;
  database?: string;
  schema?: string;
  name?: string;
  /** Argument types of a routine; absent = the only routine of that name. */
  args?: string[];
  /** Where a function and a procedure may have one name. */
  routineType?: RoutineType;
  columns?: string[];
}

export type RoutineType = 'function' | 'procedure';

/** `PUBLIC` is the keyword, never a role of that name. */
export type Grantee = { public: true } | { public?: false; name: string; host?: string };

export interface RoleAttributes {
  superUser?: boolean;
  createDb?: boolean;
  createRole?: boolean;
  login?: boolean;
  inherit?: boolean;
  replication?: boolean;
  bypassRls?: boolean;
}

export interface Setting {
  name: string;
  value: string;
}

export interface Membership {
  role: string;
  admin?: boolean;
  inherit?: boolean;
  set?: boolean;
}

/** Who manages an object, as marked on the server: the uid and the name of the managed resource. */
export interface Mark {
  uid: string;
  resource: string;
}

export interface DatabaseObserved {
  name: string;
  owner: string;
  encoding: string;
  collation: string;
  characterClassification?: string;
  localeProvider?: string;
  locale?: string;
  icuRules?: string;
  tablespace?: string;
  comment?: string;
  allowConnections?: boolean;
  connectionLimit?: number;
  isTemplate?: boolean;
  settings?: Setting[];
  mark?: Mark;
}

export interface SchemaObserved {
  database: string;
  name: string;
  owner: string;
  mark?: Mark;
  publicPrivileges: string[];
}

export interface ExtensionObserved {
  database: string;
  name: string;
  version: string;
  schema: string;
  mark?: Mark;
  available: string[];
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
}

export interface Privilege {
  privilege: string;
  grantable: boolean;
  grantor: string;
}

/** One existing object and what one grantee directly holds on it; `columns` when the privilege is on a column. */
export interface AclObserved {
  target: ObjectTarget;
  owner: string;
  privileges: (Privilege & { column?: string })[];
}

export interface GrantQuery {
  grantee: Grantee;
  targets: ObjectTarget[];
}
export interface GrantObserved {
  granteeExists: boolean;
  /** What the grant needs but is not there, in words ("schema \"app\" of database \"orders\""). Empty when all is there. */
  missing: string[];
  /** Every existing object that the targets cover. */
  objects: AclObserved[];
}

export interface MembershipQuery {
  role: string;
  memberOf: string;
}
export interface MembershipObserved {
  missing: string[];
  memberships: (Membership & { grantor?: string })[];
  /** The groups whose rights the role has without SET ROLE, where the server keeps a list of them. */
  defaultRoles?: string[];
}

export interface DefaultPrivilegesQuery {
  database: string;
  creator: string;
  grantee: Grantee;
  objectType: string;
  schema?: string;
}
export interface DefaultPrivilegesObserved {
  missing: string[];
  /** What the layer asked for (schema or global) holds for that grantee. */
  privileges: Privilege[];
  /** What the global layer, acldefault() included, gives that grantee. */
  inherited: Privilege[];
}

/** What an object holds, for dropPolicy WhenEmpty. */
export interface Contents {
  empty: boolean /** e.g. "3 tables, 1 sequence" */;
  summary: string;
}

/** What keeps a role from being dropped. */
export interface RoleDependencies {
  owned: { database: string; objects: string[]; count: number }[];
  databases: string[];
}

/** Privileges that one grantee holds on one object. */
export interface FoundRight {
  on: ObjectTarget;
  to: Grantee;
  privileges: string[];
  withOption: boolean;
  /** Of PUBLIC: what it has is not what the server gives by default, so that the rest has to be taken away. */
  exclusive: boolean;
}

export interface FoundDefault extends Pick<DefaultPrivilegesQuery, 'creator' | 'grantee' | 'objectType' | 'schema'> {
  privileges: string[];
  withOption: boolean;
}

/** What there is on a server, by name; the rest is read by the kinds of reads. */
export interface Discovery {
  roles: string[];
  databases: {
    name: string;
    schemas: string[];
    extensions: { name: string; schema: string }[];
    rights: FoundRight[];
    defaults: FoundDefault[];
  }[];
  /** On what belongs to no database. */
  rights: FoundRight[];
}

/** What the server says of a setting of sessions. */
export interface SettingObserved {
  /** Whether every session may change it for itself, without any right. False for what the server does not know. */
  anybodyMaySet: boolean;
}

/** Every kind of read an engine answers, each in batches: one statement for all queries of a batch. */
export interface Reads {
  database: { query: { name: string }; result: DatabaseObserved | undefined };
  schema: { query: { database: string; name: string }; result: SchemaObserved | undefined };
  extension: {
    query: { database: string; name: string };
    result: ExtensionObserved | { installed: false; available: string[] };
  };
  role: { query: { name: string; host?: string }; result: RoleObserved | undefined };
  grant: { query: GrantQuery; result: GrantObserved };
  membership: { query: MembershipQuery; result: MembershipObserved };
  defaultPrivileges: { query: DefaultPrivilegesQuery; result: DefaultPrivilegesObserved };
  databaseContents: { query: { name: string }; result: Contents };
  schemaContents: { query: { database: string; name: string }; result: Contents };
  roleDependencies: { query: { name: string }; result: RoleDependencies };
  setting: { query: { name: string }; result: SettingObserved };
}
export type ReadKind = keyof Reads;

/** One change of a server. `compile` of the engine turns it into SQL. */
export type Step =
  | {
      kind: 'createDatabase';
      name: string;
      owner?: string;
      template?: string;
      encoding?: string;
      collation?: string;
      characterClassification?: string;
      localeProvider?: string;
      locale?: string;
      icuRules?: string;
      tablespace?: string;
      strategy?: string;
      characterSet?: string;
      comment?: string;
      allowConnections?: boolean;
      connectionLimit?: number;
      isTemplate?: boolean;
      mark?: Mark;
    }
  | {
      kind: 'alterDatabase';
      name: string;
      owner?: string;
      allowConnections?: boolean;
      connectionLimit?: number;
      isTemplate?: boolean;
      tablespace?: string;
      characterSet?: string;
      collation?: string;
      comment?: string;
    }
  | { kind: 'setDatabaseSetting'; name: string; setting: string; value: string | null }
  | { kind: 'initSQL'; database: string; owner: string; sql: string }
  /** `restrict`: only if it holds nothing at that very moment. */
  | { kind: 'dropDatabase'; name: string; restrict?: true }
  | { kind: 'createSchema'; database: string; name: string; owner?: string; mark?: Mark }
  | { kind: 'alterSchemaOwner'; database: string; name: string; owner: string }
  | { kind: 'revokeSchemaPublic'; database: string; name: string; privileges: string[] }
  | { kind: 'dropSchema'; database: string; name: string; cascade: boolean }
  | {
      kind: 'createExtension';
      database: string;
      name: string;
      version?: string;
      schema?: string;
      cascade?: boolean;
      mark?: Mark;
    }
  | { kind: 'updateExtension'; database: string; name: string; version?: string }
  | { kind: 'moveExtension'; database: string; name: string; schema: string }
  | { kind: 'dropExtension'; database: string; name: string }
  | {
      kind: 'createRole';
      name: string;
      host?: string;
      attributes: RoleAttributes;
      connectionLimit?: number;
      validUntil?: string;
      password?: Secret;
      account?: AccountOptions;
      plugin?: WantedPlugin;
      mark?: Mark;
    }
  | {
      kind: 'alterRole';
      name: string;
      host?: string;
      attributes: RoleAttributes;
      connectionLimit?: number;
      validUntil?: string;
      account?: AccountOptions;
      /** Another plugin, which takes no password of ours. */
      plugin?: WantedPlugin;
      /** Ends the time in which the password before the last logs in too. */
      discardOldPassword?: true;
    }
  | {
      kind: 'setPassword';
      name: string;
      host?: string;
      password: Secret;
      /** Authentication plugin that comes with it; the account keeps its own when not given. */
      plugin?: string;
      /** Lets the password that it had log in too, until it is discarded. */
      retain?: boolean;
    }
  | { kind: 'setRoleSetting'; name: string; setting: string; value: string | null }
  | {
      kind: 'grantMembership';
      role: string;
      memberOf: string;
      admin?: boolean;
      inherit?: boolean;
      set?: boolean;
      /** With inherit, where the server keeps them as a list: the whole list as it shall be. */
      defaultRoles?: string[];
    }
  | {
      kind: 'revokeMembership';
      role: string;
      memberOf: string;
      grantor?: string;
      /** Where the group is one of these now: the whole list as it shall be. */
      defaultRoles?: string[];
    }
  | { kind: 'reassignOwned'; database: string; from: string; to: string | null /* null = the administrator */ }
  | { kind: 'dropOwned'; database: string; role: string }
  | { kind: 'dropRole'; name: string; host?: string }
  | { kind: 'grant'; on: ObjectTarget; to: Grantee; privileges: string[]; withGrantOption?: boolean; grantor?: string }
  | {
      kind: 'revoke';
      on: ObjectTarget;
      from: Grantee;
      privileges: string[];
      grantOptionOnly?: boolean;
      grantor?: string;
    }
  | {
      kind: 'grantDefault';
      database: string;
      creator: string;
      schema?: string;
      objectType: string;
      to: Grantee;
      privileges: string[];
      withGrantOption?: boolean;
    }
  | {
      kind: 'revokeDefault';
      database: string;
      creator: string;
      schema?: string;
      objectType: string;
      from: Grantee;
      privileges: string[];
      grantOptionOnly?: boolean;
    }
  | {
      kind: 'mark';
      on: { type: 'database' | 'schema' | 'role' | 'extension'; database?: string; name: string; host?: string };
      mark: Mark;
    };
