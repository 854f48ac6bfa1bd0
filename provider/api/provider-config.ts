/** ProviderConfig and ClusterProviderConfig: one existing server, and who may use it for what. */
import { z } from 'zod';
import { conditions } from './common.ts';
import { ENGINES } from './engines.ts';
import { jobSettings } from './jobs.ts';
import {
  type CelRule,
  type Condition,
  GROUPS,
  type KindDefinition,
  type KubeObject,
  type PrinterColumn,
  VERSION,
} from './kind.ts';
import { permissions, tenancy } from './permissions.ts';
import { type SecretScope, secretKey, secretKeyOf, secretName } from './secret-ref.ts';
import { namedStorage } from './storage.ts';

const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

const server = (scope: SecretScope) => ({
  engine: z.enum(ENGINES).describe('What the server is.'),
  endpoint: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Host name or address of the server; when not given, the endpoint in the credentials Secret.'),
  port: z
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe(
      'Port of the server; when not given, the port in the credentials Secret, else 5432 (postgres), 3306 (mysql, mariadb) or 26257 (cockroachdb).',
    ),
  credentials: z
    .object({
      source: z
        .enum(['Secret', 'None'])
        .default('Secret')
        .describe(
          'Secret: user name and password are in a Secret. None: no password, only username, e.g. with a client certificate.',
        ),
      secretRef: z
        .object(secretName(scope))
        .optional()
        .describe('Secret with the user name and the password of the administrator.'),
      secretKeyMapping: z
        .object({
          username: secretKey('username', 'Key that holds the user name.'),
          password: secretKey('password', 'Key that holds the password.'),
          endpoint: secretKey('endpoint', 'Key that holds the host, when endpoint is not given here.'),
          port: secretKey('port', 'Key that holds the port, when port is not given here.'),
        })
        .prefault({})
        .describe('Names of the keys in the Secret, for a Secret that somebody else writes.'),
      username: z
        .string()
        .min(1)
        .max(128)
        .optional()
        .describe('User name of the administrator, when the Secret has none.'),
    })
    .describe('How the administrator logs in. It needs no superuser, only the rights for what you ask of it.'),
  tls: z
    .object({
      mode: z
        .enum(TLS_MODES)
        .default('verify-full')
        .describe(
          'What the connection must be: disable: never encrypted. prefer: encrypted when the server can. require: encrypted, the certificate is not checked. verify-ca: signed by a trusted CA (the dump and load tools of MariaDB know no such mode, and check the host as well). verify-full (the default): also made for this host.',
        ),
      caSecretRef: secretKeyOf(
        scope,
        'ca.crt',
        'Secret with the CA that signed the certificate of the server (PEM); the CAs of the system when not given.',
      ).optional(),
      clientCertSecretRef: z
        .object({
          ...secretName(scope),
          certKey: secretKey('tls.crt', 'Key that holds the certificate (PEM).'),
          keyKey: secretKey('tls.key', 'Key that holds the private key (PEM).'),
        })
        .optional()
        .describe('Secret with the client certificate of the administrator.'),
      serverName: z
        .string()
        .min(1)
        .max(253)
        .optional()
        .describe(
          'Name that verify-full expects in the certificate, when it differs from endpoint. The dump and load tools of MySQL and MariaDB cannot be told one: with it, backups, restores and copies are refused there.',
        ),
    })
    .prefault({})
    .describe('Encryption of the connection.'),
  defaultDatabase: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe(
      'Database that is logged in to for what belongs to no database: postgres (postgres) or defaultdb (cockroachdb) when not given.',
    ),
  connectionLimit: z
    .int()
    .min(1)
    .max(100)
    .default(4)
    .describe('The most sessions that the provider holds on this server.'),
});

const backups = (scope: SecretScope) => ({
  storages: z
    .array(namedStorage(scope))
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Places for backups, which Backup and the other kinds name.'),
  images: z
    .object({
      engine: z
        .string()
        .min(1)
        .max(512)
        .optional()
        .describe(
          'Image with the dump and load tools; by default the image of the engine in the version of the server.',
        ),
      runner: z.string().min(1).max(512).optional().describe('Image of the runner; by default that of this release.'),
    })
    .optional()
    .describe('Images of backup, restore and copy jobs, for an air-gapped cluster.'),
  jobs: jobSettings.optional(),
});

const status = z.object({
  conditions,
  observedGeneration: z.int().optional().describe('The last generation that was checked.'),
  version: z.string().optional().describe('Version of the server, as it says.'),
  flavour: z
    .string()
    .optional()
    .describe('Product or service behind the endpoint, e.g. PostgreSQL, Amazon RDS, CockroachDB.'),
  users: z.int().optional().describe('How many resources use this configuration. It can be deleted when none does.'),
});

const specRules: CelRule[] = [
  { rule: 'self.engine == oldSelf.engine', message: 'engine cannot be changed: make another configuration' },
  {
    rule: "self.credentials.source == 'Secret' ? has(self.credentials.secretRef) : has(self.credentials.username) && !has(self.credentials.secretRef)",
    message:
      'credentials takes a secretRef when source is Secret, and a username without secretRef when source is None',
  },
  {
    rule: "has(self.endpoint) || self.credentials.source == 'Secret'",
    message: 'endpoint is required when credentials.source is None',
  },
  {
    rule: "!has(self.endpoint) || !(self.endpoint.matches('[/@ ]') || self.endpoint.matches('^[^:]*:[0-9]+$'))",
    message: 'endpoint must be a host name or address alone, without scheme, user, port or path; the port goes to port',
  },
  {
    rule: "self.tls.mode != 'disable' || !(has(self.tls.caSecretRef) || has(self.tls.clientCertSecretRef))",
    message:
      'tls.caSecretRef and tls.clientCertSecretRef cannot be used with mode disable; allowed: prefer, require, verify-ca, verify-full',
  },
];

const columns: PrinterColumn[] = [
  { name: 'ENGINE', type: 'string', jsonPath: '.spec.engine' },
  { name: 'ENDPOINT', type: 'string', jsonPath: '.spec.endpoint' },
  { name: 'AVAILABLE', type: 'string', jsonPath: ".status.conditions[?(@.type=='Available')].status" },
  { name: 'VERSION', type: 'string', jsonPath: '.status.version' },
  { name: 'USERS', type: 'integer', jsonPath: '.status.users' },
  { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'SECRET-NAME', type: 'string', jsonPath: '.spec.credentials.secretRef.name', priority: 1 },
];

const namespacedSpec = z.object({ ...server('own namespace'), ...permissions, ...backups('own namespace') });
const clusterSpec = z.object({
  ...server('any namespace'),
  ...tenancy,
  ...permissions,
  ...backups('any namespace'),
});

const shared = {
  group: GROUPS.config,
  version: VERSION,
  categories: ['crossplane', 'provider', 'xdatabase'],
  status,
  specRules,
  columns,
  references: [],
  managed: false,
};

export const ProviderConfigKind: KindDefinition = {
  ...shared,
  kind: 'ProviderConfig',
  plural: 'providerconfigs',
  singular: 'providerconfig',
  shortNames: [],
  namespaced: true,
  description:
    'ProviderConfig is one existing server that resources of the same namespace use. Its Secrets are in that namespace.',
  spec: namespacedSpec,
};

export const ClusterProviderConfigKind: KindDefinition = {
  ...shared,
  kind: 'ClusterProviderConfig',
  plural: 'clusterproviderconfigs',
  singular: 'clusterproviderconfig',
  shortNames: [],
  namespaced: false,
  description:
    'ClusterProviderConfig is one existing server that the namespaces which it allows share, isolated from each other.',
  spec: clusterSpec,
};

/** What both kinds have; `allowedNamespaces` and `isolation` are there in a ClusterProviderConfig only. */
export type ProviderConfigSpec = z.infer<typeof namespacedSpec> &
  Partial<Pick<z.infer<typeof clusterSpec>, 'allowedNamespaces' | 'isolation'>>;
export type ProviderConfigStatus = Omit<z.infer<typeof status>, 'conditions'> & { conditions?: Condition[] };

/** A ProviderConfig or a ClusterProviderConfig. */
export interface ProviderConfig extends KubeObject {
  kind: 'ProviderConfig' | 'ClusterProviderConfig';
  spec: ProviderConfigSpec;
  status?: ProviderConfigStatus;
}
