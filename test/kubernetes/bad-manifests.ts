/**
 * Manifests that must be refused, by an API server and by the command line alike: an example with one change, and what
 * both have to say. The answer has to name the field and what would be right.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../../provider/api/kind.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/kinds');

export const example = (file: string): KubeObject =>
  parse(readFileSync(join(EXAMPLES, `${file}.yaml`), 'utf8')) as KubeObject;

/** Values by path; undefined takes the field away. */
type Change = Record<string, unknown>;

export interface BadManifest {
  what: string;
  /** Example that is changed. */
  file: string;
  change: Change;
  /** A second change, of the object that the first one made: this is the one to be refused. */
  update?: Change;
  /** What both say. */
  says: RegExp[];
  /** What only the command line says, where the words of the API server are its own. */
  parse?: RegExp;
}

/** A copy with every value set at its path (`a.b.0.c`). */
export function changed(object: KubeObject, change: Change): KubeObject {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(change)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let holder = copy as unknown as Record<string, unknown>;
    for (const step of steps) holder = (holder[step] ??= {}) as Record<string, unknown>;
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return copy;
}

const f = 'spec.forProvider';

export const badManifests: BadManifest[] = [
  {
    what: 'a word that is not in the list',
    file: 'database',
    change: { [`${f}.dropPolicy`]: 'Sometimes' },
    says: [/spec\.forProvider\.dropPolicy/, /"Sometimes"/, /WhenEmpty/, /Always/, /Never/],
  },
  {
    what: 'an unknown field',
    file: 'database',
    change: { [`${f}.ownr`]: 'app' },
    says: [/spec\.forProvider\.ownr/],
    parse: /is not a field; allowed: owner/,
  },
  {
    what: 'an unknown field in a list',
    file: 'role',
    change: { [`${f}.memberOf.0.adminOption`]: true },
    says: [/memberOf\[0\]\.adminOption/],
    parse: /allowed: admin/,
  },
  {
    what: 'a negative limit',
    file: 'role',
    change: { [`${f}.connectionLimit`]: -2 },
    says: [/spec\.forProvider\.connectionLimit/, /-2/, /-1/],
  },
  {
    what: 'text where a number belongs',
    file: 'role',
    change: { [`${f}.connectionLimit`]: 'many' },
    says: [/spec\.forProvider\.connectionLimit/, /integer|numeric/],
  },
  {
    what: 'privileges and memberOf in one Grant',
    file: 'grant',
    change: { [`${f}.memberOf`]: 'readers', [`${f}.tables`]: undefined },
    says: [/takes either privileges or memberOf/],
  },
  {
    what: 'two kinds of object in one Grant',
    file: 'grant',
    change: { [`${f}.sequences`]: ['*'] },
    says: [/takes one of tables, sequences, routines/, /one Grant for each/],
  },
  {
    what: 'a Grant to nobody',
    file: 'grant',
    change: { [`${f}.roleRef`]: undefined },
    says: [/role, roleRef or roleSelector is required/],
  },
  {
    what: 'a Grant on no database',
    file: 'grant',
    change: { [`${f}.databaseRef`]: undefined },
    says: [/database, databaseRef or databaseSelector is required/],
  },
  {
    what: 'a membership of everybody',
    file: 'grant',
    change: {
      [f]: { role: 'PUBLIC', memberOf: 'readers' },
    },
    says: [/PUBLIC cannot be a member/],
  },
  {
    what: 'a privilege that is SQL',
    file: 'grant',
    change: { [`${f}.privileges`]: ['SELECT; DROP TABLE x'] },
    says: [/privileges\[0\]/, /must be a privilege in the words of the server/],
  },
  {
    what: 'columns of several tables',
    file: 'grant',
    change: { [`${f}.tables`]: ['a', 'b'], [`${f}.columns`]: ['id'] },
    says: [/columns needs exactly one table/],
  },
  {
    what: 'another schema for a Grant that exists',
    file: 'grant',
    change: { [`${f}.schema`]: 'billing', [`${f}.schemaRef`]: undefined },
    update: { [`${f}.schema`]: 'sales' },
    says: [/schema cannot be changed/, /delete this resource and create another/],
  },
  {
    what: 'another server for a Database that exists',
    file: 'database',
    change: {},
    update: { 'spec.providerConfigRef.name': 'other' },
    says: [/providerConfigRef cannot be changed/],
  },
  {
    what: 'another encoding for a Database that exists',
    file: 'database',
    change: {},
    update: { [`${f}.encoding`]: 'LATIN1' },
    says: [/encoding cannot be changed/],
  },
  {
    what: 'another host for a Role that exists',
    file: 'role',
    change: {},
    update: { [`${f}.host`]: '10.0.0.%' },
    says: [/host cannot be changed/],
  },
  {
    what: 'one setting twice',
    file: 'database',
    change: {
      [`${f}.settings`]: [
        { name: 'work_mem', value: '4MB' },
        { name: 'work_mem', value: '8MB' },
      ],
    },
    says: [/spec\.forProvider\.settings/, /each setting can be given once/],
  },
  {
    what: 'a rotation that is not a duration',
    file: 'role',
    change: { [`${f}.passwordRotation.every`]: 'monthly' },
    says: [/passwordRotation\.every/, /"?monthly"?/, /e\.g\. 720h/],
  },
  {
    what: 'a rotation of a password that is given',
    file: 'role',
    change: { [`${f}.passwordSecretRef`]: { name: 'mine' } },
    says: [/passwordRotation is for generated passwords/],
  },
  {
    what: 'a schema without a database',
    file: 'schema',
    change: { [`${f}.databaseRef`]: undefined },
    says: [/database, databaseRef or databaseSelector is required/],
  },
  {
    what: 'an Extension without its name',
    file: 'extension',
    change: { [`${f}.extension`]: undefined },
    says: [/spec\.forProvider\.extension/, /[Rr]equired/],
  },
  {
    what: 'default privileges on schemas inside a schema',
    file: 'default-privileges',
    change: { [`${f}.objectType`]: 'schema' },
    says: [/schemas are not inside a schema/],
  },
  {
    what: 'default privileges that give nothing',
    file: 'default-privileges',
    change: { [`${f}.privileges`]: [] },
    says: [/can be empty for role PUBLIC only/],
  },
  {
    what: 'an engine that is not supported',
    file: 'provider-config',
    change: { 'spec.engine': 'oracle' },
    says: [/spec\.engine/, /"oracle"/, /postgres/, /mysql/, /mariadb/, /cockroachdb/],
  },
  {
    what: 'a URL where a host belongs',
    file: 'provider-config',
    change: { 'spec.endpoint': 'postgres://db.example.org:5432/app' },
    says: [/endpoint must be a host name or address alone/],
  },
  {
    what: 'a port in the host',
    file: 'provider-config',
    change: { 'spec.endpoint': 'db.example.org:5432' },
    says: [/the port goes to port/],
  },
  {
    what: 'a ProviderConfig that reads the Secret of another namespace',
    file: 'provider-config',
    change: { 'spec.credentials.secretRef.namespace': 'kube-system' },
    says: [/spec\.credentials\.secretRef\.namespace/],
  },
  {
    what: 'a ClusterProviderConfig that does not say who may use it',
    file: 'cluster-provider-config',
    change: { 'spec.allowedNamespaces': undefined },
    says: [/spec\.allowedNamespaces/, /[Rr]equired/],
  },
  {
    what: 'credentials without a Secret',
    file: 'provider-config',
    change: { 'spec.credentials': {} },
    says: [/credentials takes a secretRef when source is Secret/],
  },
  {
    what: 'more sessions than any server should give us',
    file: 'provider-config',
    change: { 'spec.connectionLimit': 1000 },
    says: [/spec\.connectionLimit/, /1000/, /100/],
  },
  {
    what: 'certificates on a connection that is not encrypted',
    file: 'provider-config',
    change: { 'spec.tls.mode': 'disable' },
    says: [/cannot be used with mode disable/, /verify-full/],
  },
  {
    what: 'a storage that is two storages',
    file: 'provider-config',
    change: { 'spec.storages.0.filesystem': { path: '/backups' } },
    says: [/storages\[0\]/, /exactly one of s3 and filesystem is required/],
  },
  {
    what: 'two storages of one name',
    file: 'provider-config',
    change: { 'spec.storages.1': { name: 'main', filesystem: {} } },
    says: [/spec\.storages/],
    parse: /is there twice/,
  },
  {
    what: 'a volume of the namespace of the provider',
    file: 'backup',
    change: { [`${f}.storage`]: { filesystem: { persistentVolumeClaim: { claimName: 'theirs' } } } },
    says: [/storage\.filesystem can be used with a ProviderConfig only/],
  },
  {
    what: 'an identity of the namespace of the provider',
    file: 'copy',
    change: { [`${f}.serviceAccountName`]: 'admin' },
    says: [/serviceAccountName can be used with a ProviderConfig only/],
  },
  {
    what: 'an identity beside the credentials of the server that is copied from',
    file: 'copy-schedule',
    change: { [`${f}.serviceAccountName`]: 'admin' },
    says: [/serviceAccountName can be used with a ProviderConfig only: sourceProviderConfigRef/],
  },
  {
    what: 'a private key where a public one belongs',
    file: 'backup',
    change: { [`${f}.encryption.recipients`]: ['AGE-SECRET-KEY-1QQQ'] },
    says: [/recipients\[0\]/, /begins with age1/],
  },
  {
    what: 'a level that the compression does not have',
    file: 'backup',
    change: { [`${f}.compression`]: 'gzip', [`${f}.compressionLevel`]: 12 },
    says: [/1 to 19 for zstd and 1 to 9 for gzip/],
  },
  {
    what: 'a schedule that is not cron',
    file: 'backup-schedule',
    change: { [`${f}.schedule`]: 'every night' },
    says: [/spec\.forProvider\.schedule/, /five fields/],
  },
  {
    what: 'a retention that keeps nothing',
    file: 'backup-schedule',
    change: { [`${f}.retention`]: {} },
    says: [/spec\.forProvider\.retention/, /at least one of keepLast/],
  },
  {
    what: 'test restores of encrypted backups without the key',
    file: 'backup-schedule',
    change: { [`${f}.encryption.recipients`]: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'] },
    says: [/verify\.identitySecretRef is required/],
  },
  {
    what: 'a restore of an exact file that is also the newest',
    file: 'restore',
    change: { [`${f}.source.key`]: 'team-orders/x.dump' },
    says: [/cannot be used with backupRef or key/],
  },
  {
    what: 'a time that is not a time',
    file: 'restore',
    change: { [`${f}.source.before`]: 'yesterday' },
    says: [/spec\.forProvider\.source\.before/, /yesterday/],
    parse: /RFC 3339/,
  },
  {
    what: 'a scheduled restore that does not say what happens to the data before',
    file: 'restore-schedule',
    change: { [`${f}.mode`]: undefined },
    says: [/spec\.forProvider\.mode/, /[Rr]equired/],
  },
  {
    what: 'a copy of a database onto itself',
    file: 'copy',
    change: {
      [`${f}.sourceDatabaseRef`]: undefined,
      [`${f}.targetDatabaseRef`]: undefined,
      [`${f}.sourceDatabase`]: 'orders',
      [`${f}.targetDatabase`]: 'orders',
    },
    says: [/targetDatabase must be another database/],
  },
  {
    what: 'a usage of nothing',
    file: 'provider-config-usage',
    change: { resourceRef: undefined },
    says: [/resourceRef/, /[Rr]equired/],
  },
];
