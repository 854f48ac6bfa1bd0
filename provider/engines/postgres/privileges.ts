/** The privileges of PostgreSQL by object and version, as the chapter "Privileges" of its manual lists them. */
import { named, type ObjectPrivileges, type PrivilegeTable, type Since } from '../../resources/privilege-set.ts';

const V15: Since = { versionNumber: 150_000, label: '15' };
const V16: Since = { versionNumber: 160_000, label: '16' };
const V17: Since = { versionNumber: 170_000, label: '17' };
const V18: Since = { versionNumber: 180_000, label: '18' };

const TABLE: ObjectPrivileges = {
  words: 'a table',
  within: 'schema',
  privileges: [
    ...named('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'),
    { name: 'MAINTAIN', since: V17 },
  ],
};

const SEQUENCE: ObjectPrivileges = {
  words: 'a sequence',
  within: 'schema',
  privileges: named('USAGE', 'SELECT', 'UPDATE'),
};

const ROUTINE: ObjectPrivileges = {
  words: 'a routine',
  within: 'schema',
  privileges: named('EXECUTE'),
  publicByDefault: ['EXECUTE'],
};

const TYPE: ObjectPrivileges = {
  words: 'a type',
  within: 'schema',
  privileges: named('USAGE'),
  publicByDefault: ['USAGE'],
};

const SCHEMA: ObjectPrivileges = { words: 'a schema', within: 'database', privileges: named('USAGE', 'CREATE') };

const LARGE_OBJECT: ObjectPrivileges = {
  words: 'a large object',
  within: 'database',
  privileges: named('SELECT', 'UPDATE'),
};

export const POSTGRES_PRIVILEGES: PrivilegeTable = {
  product: 'PostgreSQL',
  objects: {
    database: {
      words: 'a database',
      within: 'server',
      privileges: [...named('CREATE', 'CONNECT'), { name: 'TEMPORARY', aliases: ['TEMP'] }],
      publicByDefault: ['CONNECT', 'TEMPORARY'],
    },
    schema: SCHEMA,
    table: TABLE,
    column: { words: 'a column', within: 'schema', privileges: named('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') },
    sequence: SEQUENCE,
    routine: ROUTINE,
    type: TYPE,
    language: {
      words: 'a language',
      within: 'database',
      privileges: named('USAGE'),
      publicByDefault: ['USAGE'],
    },
    foreignDataWrapper: { words: 'a foreign-data wrapper', within: 'database', privileges: named('USAGE') },
    foreignServer: { words: 'a foreign server', within: 'database', privileges: named('USAGE') },
    tablespace: { words: 'a tablespace', within: 'server', privileges: named('CREATE') },
    parameter: { words: 'a parameter', within: 'server', privileges: named('SET', 'ALTER SYSTEM'), since: V15 },
    largeObject: LARGE_OBJECT,
  },
  defaults: {
    table: TABLE,
    sequence: SEQUENCE,
    function: ROUTINE,
    type: TYPE,
    schema: SCHEMA,
    largeObject: { ...LARGE_OBJECT, since: V18 },
  },
  tableRevokeReachesColumns: true,
  public: true,
  hosts: false,
  membershipOptions: V16,
  publicSchema: ({ versionNumber, admin }) =>
    versionNumber >= V15.versionNumber
      ? { owner: 'pg_database_owner', publicPrivileges: ['USAGE'] }
      : { owner: admin.name, publicPrivileges: ['CREATE', 'USAGE'] },
};
