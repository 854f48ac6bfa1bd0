/** What the kinds of SQL objects refuse. */
import { type BadManifest, f } from './manifests.ts';

export const badSqlManifests: BadManifest[] = [
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
    what: 'privileges and proxyOf in one Grant',
    file: 'grant',
    change: { [f]: { role: 'app', proxyOf: 'owner', privileges: ['PROXY'] } },
    says: [/takes either privileges or memberOf or proxyOf/],
  },
  {
    what: 'the option to pass on a proxy',
    file: 'grant',
    change: { [f]: { role: 'app', proxyOf: 'owner', withOption: true } },
    says: [/proxyOf cannot be given withOption/],
  },
  {
    what: 'a pattern of databases beside a database',
    file: 'grant',
    change: { [f]: { role: 'app', database: 'a', databasePattern: 'a%', privileges: ['SELECT'] } },
    says: [/databasePattern is about all databases that match/],
  },
  {
    what: 'tables of a pattern of databases',
    file: 'grant',
    change: { [f]: { role: 'app', databasePattern: 'a%', tables: ['t'], privileges: ['SELECT'] } },
    says: [/takes one of tables, .* databasePattern and proxyOf/],
  },
  {
    what: 'a routine that is neither function nor procedure',
    file: 'grant',
    change: {
      [f]: { role: 'app', database: 'a', routines: [{ name: 'x', type: 'package' }], privileges: ['EXECUTE'] },
    },
    says: [/routines\[0\]\.type/, /function/, /procedure/],
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
];
