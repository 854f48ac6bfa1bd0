/** What a configuration allows those who use it. */
import { z } from 'zod';
import { matching } from './text.ts';

/** Role attributes that reach beyond one's own databases: a ClusterProviderConfig has to allow them. */
export const GUARDED_ROLE_ATTRIBUTES = ['superUser', 'createRole', 'createDb', 'replication', 'bypassRls'] as const;

const names = (item: z.ZodString, what: string) =>
  z.array(item).max(256).meta({ 'x-kubernetes-list-type': 'set' }).optional().describe(what);

const word = matching(/^(\*|[A-Za-z][A-Za-z0-9_ -]*)$/, 'must be a name, or * for all', 64);

export const permissions = {
  allowedRoleAttributes: z
    .array(z.enum(GUARDED_ROLE_ATTRIBUTES))
    .max(GUARDED_ROLE_ATTRIBUTES.length)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe(
      'Attributes that a Role may have although they reach beyond its own databases. When not given: none in a ClusterProviderConfig with isolation Namespace, else all.',
    ),
  allowedServerPrivileges: names(
    word,
    'Server-wide privileges and predefined roles (pg_monitor, PROCESS, VIEWACTIVITY) that may be granted; * is all. When not given: none in a ClusterProviderConfig with isolation Namespace, else all.',
  ),
  allowedSettings: names(
    matching(
      /^(\*|[A-Za-z_][A-Za-z0-9_$]*([.][A-Za-z_][A-Za-z0-9_$]*)*([.]\*)?)$/,
      'must be the name of a setting, a prefix such as app.*, or * for all',
      128,
    ),
    'Settings of roles and databases that may be given although not every session may change them: log_statement, app.* (every setting of that prefix); * is all. When not given: none in a ClusterProviderConfig with isolation Namespace, else all.',
  ),
  allowedExtensions: names(
    word,
    'Extensions that may be installed by the administrator; * is all. When not given: none in a ClusterProviderConfig with isolation Namespace, else all.',
  ),
};

/** Who may use a server that namespaces share. */
export const tenancy = {
  allowedNamespaces: z
    .object({
      names: names(z.string().min(1).max(63), 'Namespaces by name; * is every namespace.'),
      selector: z
        .object({
          matchLabels: z
            .record(z.string().max(317), z.string().max(63))
            .meta({ minProperties: 1, maxProperties: 16 })
            .describe('Labels that the namespace must carry.'),
        })
        .optional()
        .describe('Namespaces by label.'),
    })
    .describe('Namespaces whose resources may use this server: those listed and those selected. {} is none.'),
  isolation: z
    .enum(['Namespace', 'None'])
    .default('Namespace')
    .describe(
      'Namespace (the default): a resource may name only databases, schemas and roles that a resource of its own namespace manages. None: any on the server, for namespaces that trust each other.',
    ),
};
