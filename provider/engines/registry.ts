/** The engines there are. */
import { CockroachEngine } from './cockroachdb/engine.ts';
import type { ConnectionSettings, Engine, EngineName } from './engine.ts';
import { MysqlEngine } from './mysql/engine.ts';
import { PostgresEngine } from './postgres/engine.ts';

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

/** Whether backups are made, scheduled and restored by the server itself (`Engine.native`) instead of by its tools. */
export const makesOwnBackups = (engine: EngineName): boolean => engine === 'cockroachdb';
