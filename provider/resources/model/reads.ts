/** The questions that an engine answers. */
import type { Contents, DatabaseObserved, ExtensionObserved, SchemaObserved, SettingObserved } from './databases.ts';
import type {
  DefaultPrivilegesObserved,
  DefaultPrivilegesQuery,
  GrantObserved,
  GrantQuery,
  MembershipObserved,
  MembershipQuery,
} from './privileges.ts';
import type { Namesake, RoleDependencies, RoleObserved } from './roles.ts';

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
  roleDependencies: { query: { name: string; host?: string }; result: RoleDependencies };
  /** Where logins are accounts with a host; elsewhere there are none. */
  namesakes: { query: { name: string }; result: Namesake[] };
  setting: { query: { name: string }; result: SettingObserved };
}

export type ReadKind = keyof Reads;
