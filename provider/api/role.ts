import { z } from 'zod';
import { adopt, defineManaged, reference, referable, secretKeyRef, selector, settings, sqlName } from './common.ts';
import type { Managed } from './kind.ts';
import { duration, matching } from './text.ts';

const membership = z
  .object({
    role: sqlName('Group role that this role joins.').optional(),
    roleRef: reference('Role'),
    roleSelector: selector('Role'),
    admin: z.boolean().optional().describe('WITH ADMIN OPTION: may add others to the group.'),
    inherit: z
      .boolean()
      .optional()
      .describe('PostgreSQL ≥16, WITH INHERIT: whether the rights of the group apply without SET ROLE.'),
    set: z.boolean().optional().describe('PostgreSQL ≥16, WITH SET: whether SET ROLE to the group is allowed.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '[has(self.role), has(self.roleRef), has(self.roleSelector)].filter(x, x).size() > 0',
        message: 'role, roleRef or roleSelector is required',
      },
    ],
  });

const forProvider = z.object({
  privileges: z
    .object({
      superUser: z.boolean().optional().describe('SUPERUSER.'),
      createDb: z.boolean().optional().describe('CREATEDB.'),
      createRole: z.boolean().optional().describe('CREATEROLE.'),
      login: z.boolean().optional().describe('LOGIN; false makes a group role, which has no password.'),
      inherit: z.boolean().optional().describe('INHERIT.'),
      replication: z.boolean().optional().describe('REPLICATION.'),
      bypassRls: z.boolean().optional().describe('BYPASSRLS.'),
    })
    .default({})
    .describe(
      'Attributes of the role. An attribute that is not given is not managed; a new role logs in unless login is false.',
    ),
  connectionLimit: z
    .int()
    .min(-1)
    .max(2_147_483_647)
    .optional()
    .describe('Sessions of this role at a time; -1 means no limit.'),
  configurationParameters: settings(
    'Settings of new sessions of this role (ALTER ROLE … SET). When given, settings that are not listed are reset.',
  ),
  memberOf: z
    .array(membership)
    .max(128)
    .optional()
    .describe('Group roles that this role joins. Memberships made by others are left alone.'),
  validUntil: matching(
    /^(infinity|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))$/,
    'must be a time such as 2030-01-31T12:00:00Z, or infinity',
    40,
  )
    .optional()
    .describe('When the password stops working (RFC 3339, or "infinity").'),
  host: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('MySQL and MariaDB: host part of the account; % when not given.'),
  require: z
    .object({
      type: z.enum(['NONE', 'SSL', 'X509', 'SPECIFIED']).describe('What the connection must have.'),
      subject: z.string().optional().describe('Subject of the client certificate.'),
      issuer: z.string().optional().describe('Issuer of the client certificate.'),
      cipher: z.string().optional().describe('Cipher of the connection.'),
    })
    .meta({
      'x-kubernetes-validations': [
        {
          rule: "self.type == 'SPECIFIED' ? has(self.subject) || has(self.issuer) || has(self.cipher) : !(has(self.subject) || has(self.issuer) || has(self.cipher))",
          message: 'subject, issuer and cipher are for type SPECIFIED, which needs at least one of them',
        },
      ],
    })
    .optional()
    .describe('MySQL and MariaDB: REQUIRE clause.'),
  resourceOptions: z
    .object({
      maxQueriesPerHour: z.int().min(0).optional().describe('MAX_QUERIES_PER_HOUR.'),
      maxUpdatesPerHour: z.int().min(0).optional().describe('MAX_UPDATES_PER_HOUR.'),
      maxConnectionsPerHour: z.int().min(0).optional().describe('MAX_CONNECTIONS_PER_HOUR.'),
      maxUserConnections: z.int().min(0).optional().describe('MAX_USER_CONNECTIONS.'),
    })
    .optional()
    .describe('MySQL and MariaDB: resource limits of the account.'),
  authenticationPlugin: z
    .object({
      name: z.string().min(1).describe('Name of the plugin.'),
      authString: z.string().optional().describe('Authentication string of the plugin.'),
    })
    .optional()
    .describe('MySQL and MariaDB: authentication plugin; the default of the server when not given.'),
  passwordLifetimeDays: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      'MySQL and MariaDB: days after which a password has to be changed (PASSWORD EXPIRE); 0 = never, and the default of the server when not given.',
    ),
  accountLocked: z.boolean().optional().describe('MySQL and MariaDB: whether the account is locked.'),
  passwordSecretRef: secretKeyRef('Secret with the password; when not given, one is generated.').optional(),
  passwordRotation: z
    .object({
      every: duration.optional().describe('Go duration, e.g. 720h: how old a generated password may grow.'),
      trigger: z.string().optional().describe('Any text; a new value rotates the password once.'),
      overlap: duration
        .optional()
        .describe(
          'MySQL and MariaDB: how long the password before it logs in too, as Go duration; 10m when not given, 0s for not at all.',
        ),
    })
    .optional()
    .describe('When a generated password is replaced.'),
  ...referable('connectionDatabase', 'Database', 'Database that is named in the connection Secret.'),
  onDelete: z
    .object({
      reassignOwnedTo: sqlName('Role that receives what this role owns.').optional(),
      reassignOwnedToAdmin: z.boolean().optional().describe('Gives what this role owns to the administrator.'),
      dropOwned: z.boolean().optional().describe('Drops what this role owns, with its data.'),
      keepIfOwner: z
        .boolean()
        .optional()
        .describe(
          'Leaves the role, without its login, as the owner of what it still owns (MySQL and MariaDB: the account, locked, as the definer of views, routines, triggers and events) once the resources that manage its databases are gone, e.g. of a database that dropPolicy kept; an event says so. With reassignOwnedTo: when that role is not there, or not of this namespace on a shared server.',
        ),
      revokeGrants: z.boolean().default(true).describe('Revokes the privileges of this role before it is dropped.'),
    })
    .prefault({})
    .describe(
      'What becomes of objects that the role owns. By default a role that owns something is not dropped, and the condition names what it owns.',
    ),
  adopt,
});

const atProvider = z.object({
  attributes: z.array(z.string()).optional().describe('Attributes that the role has.'),
  memberOf: z.array(z.string()).optional().describe('Groups that the role is a member of.'),
  passwordTrigger: z.string().optional().describe('The last passwordRotation.trigger that was handled.'),
  passwordChangedAt: z.string().optional().describe('When a generated password was last set (RFC 3339).'),
});

export const RoleKind = defineManaged({
  group: 'sql',
  kind: 'Role',
  plural: 'roles',
  description:
    'Role is a login or a group on a server (a user on MySQL and MariaDB). Its name on the server is the external name.',
  forProvider,
  atProvider,
  references: [{ field: 'connectionDatabase', kind: 'Database' }],
  rules: [
    {
      rule: "(has(self.forProvider.host) ? self.forProvider.host : '%') == (has(oldSelf.forProvider.host) ? oldSelf.forProvider.host : '%')",
      message: 'forProvider.host cannot be changed: another host is another account',
    },
    {
      rule: '!has(self.forProvider.passwordSecretRef) || !(has(self.forProvider.privileges.login) && !self.forProvider.privileges.login)',
      message: 'forProvider.passwordSecretRef cannot be used with privileges.login false: a group role has no password',
    },
    {
      rule: '!has(self.forProvider.onDelete) || [has(self.forProvider.onDelete.reassignOwnedTo), has(self.forProvider.onDelete.reassignOwnedToAdmin) && self.forProvider.onDelete.reassignOwnedToAdmin, has(self.forProvider.onDelete.dropOwned) && self.forProvider.onDelete.dropOwned].filter(x, x).size() <= 1',
      message: 'forProvider.onDelete takes one of reassignOwnedTo, reassignOwnedToAdmin and dropOwned',
    },
    {
      rule: '!has(self.forProvider.passwordRotation) || !has(self.forProvider.passwordSecretRef)',
      message: 'forProvider.passwordRotation is for generated passwords: it cannot be used with passwordSecretRef',
    },
  ],
});

/**
 * How other resources name a role: `name`, or `name@host` where the host is one of several (the last @ separates). A name
 * with an @ of its own needs the host too.
 */
export function roleReference(name: string, host: string | undefined): string {
  if (host === undefined || (host === '%' && !name.includes('@'))) return name;
  return `${name}@${host.toLowerCase()}`;
}

export type RoleParameters = z.infer<typeof forProvider>;
export type RoleObservation = z.infer<typeof atProvider>;
export type Role = Managed<RoleParameters, RoleObservation>;
