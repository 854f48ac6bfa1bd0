/** The engines there are. */
import type { PrivilegeTables } from '../resources/privilege-set-tables.ts';
import { CockroachEngine } from './cockroachdb/engine.ts';
import { COCKROACH_PRIVILEGES } from './cockroachdb/privileges.ts';
import type { ConnectionSettings, Engine } from './engine.ts';
import { MysqlEngine } from './mysql/engine.ts';
import { MARIADB_PRIVILEGES, MYSQL_PRIVILEGES } from './mysql/privileges.ts';
import { PostgresEngine } from './postgres/engine.ts';
import { POSTGRES_PRIVILEGES } from './postgres/privileges.ts';

/** Which privileges there are, by engine. */
export const privilegeTables: PrivilegeTables = {
  postgres: POSTGRES_PRIVILEGES,
  mysql: MYSQL_PRIVILEGES,
  mariadb: MARIADB_PRIVILEGES,
  cockroachdb: COCKROACH_PRIVILEGES,
};

/** Opens nothing yet: the first read or write does. */
export function openEngine(settings: ConnectionSettings): Engine {
  switch (settings.engine) {
    case 'postgres':
      return new PostgresEngine(settings);
    case 'mysql':
    case 'mariadb':
      return new MysqlEngine(settings, settings.engine);
    case 'cockroachdb':
      return new CockroachEngine(settings);
  }
}
