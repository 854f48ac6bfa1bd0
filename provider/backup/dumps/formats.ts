import type { BackupEngine } from '../contract.ts';
import type { DumpFormat } from './dump.ts';
import { mysqlDump } from './mysql-dump.ts';
import { postgresArchive } from './postgres-archive.ts';

export const formats: Readonly<Record<BackupEngine, DumpFormat>> = {
  postgres: postgresArchive,
  mysql: mysqlDump,
  mariadb: mysqlDump,
};
