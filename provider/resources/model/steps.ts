/** What is changed on a server: plain data without engine or Kubernetes in it. */
import type { Secret } from '../../common/secret.ts';
import type { Grantee, Mark, ObjectTarget } from './objects.ts';
import type { AccountOptions, RoleAttributes, WantedPlugin } from './roles.ts';

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
      /** Takes away what was granted on an earlier database of that name, where rights outlive it. */
      revokeLeftovers?: true;
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
  /** `owner`: whom the script acts for; empty where databases have none. */
  | { kind: 'initSQL'; database: string; owner: string; sql: string }
  /** Drops the login of an initSQL that was cut off, with what it holds. */
  | { kind: 'endScript'; database: string; login: string }
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
  /** Takes away the mark of an account that is gone, where marks stand by themselves. */
  | { kind: 'dropMark'; name: string; host?: string; mark: Mark }
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
