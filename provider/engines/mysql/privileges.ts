/**
 * The privileges of MySQL and MariaDB by object and version. What is said of MySQL here is what is in its grant tables;
 * its dynamic privileges depend on the components that are loaded, so the server is asked for them.
 */
import type { ServerInfo } from '../../resources/model/server.ts';
import {
  named,
  type ObjectPrivileges,
  type PrivilegeEntry,
  type PrivilegeTable,
  type Since,
} from '../../resources/privilege-set.ts';

export const GRANT_OPTION = 'GRANT OPTION';

/** WITH GRANT OPTION speaks of all privileges of a scope, so it is a privilege of the scope. */
const OPTION: PrivilegeEntry = { name: GRANT_OPTION, notInAll: true };

const V11_3: Since = { versionNumber: 110_300, label: '11.3' };

const TABLE_WORDS = named(
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'CREATE',
  'DROP',
  'REFERENCES',
  'INDEX',
  'ALTER',
  'CREATE VIEW',
  'SHOW VIEW',
  'TRIGGER',
);

/** What a database adds to what its tables have. */
const DATABASE_WORDS = named(
  'CREATE TEMPORARY TABLES',
  'LOCK TABLES',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'EXECUTE',
  'EVENT',
);

const ROUTINE_WORDS = named('EXECUTE', 'ALTER ROUTINE');

const SERVER_WORDS = named('RELOAD', 'SHUTDOWN', 'PROCESS', 'FILE', 'SHOW DATABASES', 'SUPER');

const COLUMN: ObjectPrivileges = {
  words: 'a column',
  within: 'database',
  privileges: named('SELECT', 'INSERT', 'UPDATE', 'REFERENCES'),
};

const PROXY: ObjectPrivileges = { words: 'an account', within: 'server', privileges: named('PROXY') };

/** DELETE HISTORY is called DELETE VERSIONING ROWS where it is shown. */
const DELETE_HISTORY: PrivilegeEntry = { name: 'DELETE HISTORY', aliases: ['DELETE VERSIONING ROWS'] };
const SHOW_CREATE_ROUTINE: PrivilegeEntry = { name: 'SHOW CREATE ROUTINE', since: V11_3 };

interface Words {
  table?: PrivilegeEntry[];
  database?: PrivilegeEntry[];
  server: PrivilegeEntry[];
  dynamic?: true;
}

function objectsOf({ table = [], database = [], server, dynamic }: Words): PrivilegeTable['objects'] {
  const tableWords = [...TABLE_WORDS, ...table];
  const databaseWords = [...tableWords, ...DATABASE_WORDS, ...database];
  const onDatabase: ObjectPrivileges = {
    words: 'a database',
    within: 'server',
    privileges: [...databaseWords, OPTION],
    option: GRANT_OPTION,
  };
  return {
    global: {
      words: 'the server',
      within: 'server',
      privileges: [...databaseWords, ...SERVER_WORDS, ...server, OPTION],
      option: GRANT_OPTION,
      ...(dynamic === undefined ? {} : { dynamic }),
    },
    database: onDatabase,
    databasePattern: { ...onDatabase, words: 'a pattern of databases' },
    table: { words: 'a table', within: 'database', privileges: [...tableWords, OPTION], option: GRANT_OPTION },
    column: COLUMN,
    routine: {
      words: 'a routine',
      within: 'database',
      privileges: [...ROUTINE_WORDS, OPTION],
      option: GRANT_OPTION,
    },
    proxy: PROXY,
  };
}

const SHARED = {
  defaults: {},
  tableRevokeReachesColumns: true,
  hosts: true,
  ownerless: true,
} as const;

export const MYSQL_PRIVILEGES: PrivilegeTable = {
  ...SHARED,
  product: 'MySQL',
  objects: objectsOf({
    server: named(
      'REPLICATION SLAVE',
      'REPLICATION CLIENT',
      'CREATE USER',
      'CREATE TABLESPACE',
      'CREATE ROLE',
      'DROP ROLE',
    ),
    dynamic: true,
  }),
  public: false,
};

export const MARIADB_PRIVILEGES: PrivilegeTable = {
  ...SHARED,
  product: 'MariaDB',
  objects: objectsOf({
    table: [DELETE_HISTORY],
    database: [SHOW_CREATE_ROUTINE],
    // Of a single routine, MariaDB takes SHOW CREATE ROUTINE too, and forgets it when it restarts.
    server: [
      { name: 'REPLICATION SLAVE', aliases: ['REPLICATION REPLICA'] },
      { name: 'BINLOG MONITOR', aliases: ['REPLICATION CLIENT'] },
      ...named('CREATE USER', 'CREATE TABLESPACE', 'SET USER', 'FEDERATED ADMIN', 'CONNECTION ADMIN'),
      { name: 'READ_ONLY ADMIN', aliases: ['READ ONLY ADMIN'] },
      { name: 'REPLICATION SLAVE ADMIN', aliases: ['REPLICATION REPLICA ADMIN'] },
      ...named('REPLICATION MASTER ADMIN', 'BINLOG ADMIN', 'BINLOG REPLAY'),
      { name: 'SLAVE MONITOR', aliases: ['REPLICA MONITOR'] },
    ],
  }),
  public: true,
};

export const tableOfFlavour = ({ engine }: Pick<ServerInfo, 'engine'>): PrivilegeTable =>
  engine === 'mariadb' ? MARIADB_PRIVILEGES : MYSQL_PRIVILEGES;
