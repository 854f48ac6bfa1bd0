/** The privileges of CockroachDB by object and version, as the page "Managing privileges" of its manual lists them. */
import {
  named,
  type ObjectPrivileges,
  type PrivilegeEntry,
  type PrivilegeTable,
  type Since,
} from '../../resources/privilege-set.ts';

const V25_2: Since = { versionNumber: 250_200, label: '25.2' };
const V26_1: Since = { versionNumber: 260_100, label: '26.1' };
const V26_2: Since = { versionNumber: 260_200, label: '26.2' };

const since = (version: Since, ...names: string[]): PrivilegeEntry[] => names.map((name) => ({ name, since: version }));

const TABLE: ObjectPrivileges = {
  words: 'a table',
  within: 'schema',
  privileges: [
    ...named('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'BACKUP', 'CHANGEFEED', 'TRIGGER', 'ZONECONFIG'),
    ...since(V25_2, 'BYPASSRLS', 'REPLICATIONSOURCE', 'REPLICATIONDEST'),
    ...since(V26_2, 'MAINTAIN'),
  ],
};

const SEQUENCE: ObjectPrivileges = {
  words: 'a sequence',
  within: 'schema',
  privileges: named('USAGE', 'SELECT', 'UPDATE', 'INSERT', 'DELETE', 'CREATE', 'DROP', 'ZONECONFIG'),
};

const TYPE: ObjectPrivileges = {
  words: 'a type',
  within: 'schema',
  privileges: named('USAGE'),
  publicByDefault: ['USAGE'],
};

const ROUTINE: ObjectPrivileges = {
  words: 'a routine',
  within: 'schema',
  privileges: named('EXECUTE'),
  publicByDefault: ['EXECUTE'],
};

const SCHEMA: ObjectPrivileges = { words: 'a schema', within: 'database', privileges: named('USAGE', 'CREATE') };

export const COCKROACH_PRIVILEGES: PrivilegeTable = {
  product: 'CockroachDB',
  objects: {
    database: {
      words: 'a database',
      within: 'server',
      privileges: named('CONNECT', 'CREATE', 'DROP', 'BACKUP', 'RESTORE', 'ZONECONFIG'),
      publicByDefault: ['CONNECT'],
    },
    schema: SCHEMA,
    table: TABLE,
    sequence: SEQUENCE,
    type: TYPE,
    routine: ROUTINE,
    global: {
      words: 'the system',
      within: 'server',
      privileges: [
        ...named('BACKUP', 'RESTORE', 'CANCELQUERY', 'CONTROLJOB', 'CREATEDB', 'CREATELOGIN', 'CREATEROLE'),
        ...named('EXTERNALCONNECTION', 'EXTERNALIOIMPLICITACCESS'),
        ...since(V26_1, 'INSPECT'),
        ...named('MODIFYCLUSTERSETTING', 'MODIFYSQLCLUSTERSETTING', 'NOSQLLOGIN'),
        { name: 'REPAIRCLUSTER', aliases: ['REPAIRCLUSTERMETADATA'] },
        ...named('REPLICATION', 'VIEWACTIVITY', 'VIEWACTIVITYREDACTED', 'VIEWCLUSTERMETADATA'),
        ...named('VIEWCLUSTERSETTING', 'VIEWDEBUG', 'VIEWJOB', 'VIEWSYSTEMTABLE'),
      ],
    },
  },
  defaults: { table: TABLE, sequence: SEQUENCE, function: ROUTINE, type: TYPE, schema: SCHEMA },
  tableRevokeReachesColumns: false,
  public: true,
  hosts: false,
  publicSchema: () => ({ owner: 'admin', publicPrivileges: ['CREATE', 'USAGE'] }),
};
