/** How the grant tables of both servers name privileges. */
import { GRANT_OPTION } from './privileges.ts';

/** Columns of mysql.user and mysql.db, by privilege; 'Y' when it is held. */
const FLAGS: Readonly<Record<string, string>> = {
  SELECT: 'Select_priv',
  INSERT: 'Insert_priv',
  UPDATE: 'Update_priv',
  DELETE: 'Delete_priv',
  CREATE: 'Create_priv',
  DROP: 'Drop_priv',
  REFERENCES: 'References_priv',
  INDEX: 'Index_priv',
  ALTER: 'Alter_priv',
  'CREATE VIEW': 'Create_view_priv',
  'SHOW VIEW': 'Show_view_priv',
  TRIGGER: 'Trigger_priv',
  'CREATE TEMPORARY TABLES': 'Create_tmp_table_priv',
  'LOCK TABLES': 'Lock_tables_priv',
  'CREATE ROUTINE': 'Create_routine_priv',
  'ALTER ROUTINE': 'Alter_routine_priv',
  EXECUTE: 'Execute_priv',
  EVENT: 'Event_priv',
  'DELETE HISTORY': 'Delete_history_priv',
  'SHOW CREATE ROUTINE': 'Show_create_routine_priv',
  RELOAD: 'Reload_priv',
  SHUTDOWN: 'Shutdown_priv',
  PROCESS: 'Process_priv',
  FILE: 'File_priv',
  'SHOW DATABASES': 'Show_db_priv',
  SUPER: 'Super_priv',
  'REPLICATION SLAVE': 'Repl_slave_priv',
  'REPLICATION CLIENT': 'Repl_client_priv',
  'CREATE USER': 'Create_user_priv',
  'CREATE TABLESPACE': 'Create_tablespace_priv',
  'CREATE ROLE': 'Create_role_priv',
  'DROP ROLE': 'Drop_role_priv',
  [GRANT_OPTION]: 'Grant_priv',
};

export function flagOf(privilege: string): string {
  const flag = FLAGS[privilege];
  if (flag === undefined) throw new Error(`the grant tables have no column for ${privilege}`);
  return flag;
}

/** Members of the sets in tables_priv, columns_priv and procs_priv, which are words in mixed case. */
export const setMembers = (text: string): string[] =>
  text === '' ? [] : text.split(',').map((member) => SPELLINGS[member.toUpperCase()] ?? member.toUpperCase());

const SPELLINGS: Readonly<Record<string, string>> = {
  GRANT: GRANT_OPTION,
  'DELETE VERSIONING ROWS': 'DELETE HISTORY',
};

/** Bits of `access` in mysql.global_priv of MariaDB. */
const BITS: readonly string[] = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'CREATE',
  'DROP',
  'RELOAD',
  'SHUTDOWN',
  'PROCESS',
  'FILE',
  GRANT_OPTION,
  'REFERENCES',
  'INDEX',
  'ALTER',
  'SHOW DATABASES',
  'SUPER',
  'CREATE TEMPORARY TABLES',
  'LOCK TABLES',
  'EXECUTE',
  'REPLICATION SLAVE',
  'BINLOG MONITOR',
  'CREATE VIEW',
  'SHOW VIEW',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'CREATE USER',
  'EVENT',
  'TRIGGER',
  'CREATE TABLESPACE',
  'DELETE HISTORY',
  'SET USER',
  'FEDERATED ADMIN',
  'CONNECTION ADMIN',
  'READ_ONLY ADMIN',
  'REPLICATION SLAVE ADMIN',
  'REPLICATION MASTER ADMIN',
  'BINLOG ADMIN',
  'BINLOG REPLAY',
  'SLAVE MONITOR',
  'SHOW CREATE ROUTINE',
];

/** What SUPER and REPLICATION SLAVE included before 10.5.2; such rows stay as they were until they are changed. */
const ONCE_IN_SUPER = [
  'SET USER',
  'FEDERATED ADMIN',
  'CONNECTION ADMIN',
  'READ_ONLY ADMIN',
  'REPLICATION SLAVE ADMIN',
  'BINLOG ADMIN',
  'BINLOG REPLAY',
];
const ONCE_IN_REPLICATION_SLAVE = ['REPLICATION MASTER ADMIN'];

/**
 * @param access decimal digits: the number is larger than JavaScript's
 * @param writtenBy version of the server that wrote the row, e.g. 101118; 0 = before 10.5.2
 */
export function privilegesOfAccess(access: string, writtenBy: number): string[] {
  const bits = BigInt(access === '' ? 0 : access);
  const held = new Set(BITS.filter((_, bit) => (bits >> BigInt(bit)) & 1n));
  if (writtenBy < 100_502) {
    if (held.has('SUPER')) for (const name of ONCE_IN_SUPER) held.add(name);
    if (held.has('REPLICATION SLAVE')) for (const name of ONCE_IN_REPLICATION_SLAVE) held.add(name);
  }
  if (writtenBy < 100_509 && held.has('REPLICATION SLAVE ADMIN')) held.add('SLAVE MONITOR');
  return [...held];
}
