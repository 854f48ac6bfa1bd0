/** What the server's configuration allows its tenants. */
export interface ServerPolicy {
  /** Identifies the server: two configurations with one endpoint are one server. */
  server: string;
  /** Whether resources may name only what their own namespace manages. */
  isolated: boolean;
  allowedRoleAttributes: ReadonlySet<string>;
  /** In capitals. */
  allowedServerPrivileges: ReadonlySet<string>;
  /** Roles of the platform that anybody's may join, as they are written; * means every predefined role. */
  allowedGroups: ReadonlySet<string>;
  /** In small letters; `app.*` is every setting of that prefix. */
  allowedSettings: ReadonlySet<string>;
  /** undefined = every extension. */
  allowedExtensions: ReadonlySet<string> | undefined;
}
