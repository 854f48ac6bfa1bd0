/** The engines there are. */
import { ResourceError } from '../resources/errors.ts';
import { CockroachEngine } from './cockroachdb/engine.ts';
import type { ConnectionSettings, Engine } from './engine.ts';
import { MysqlEngine } from './mysql/engine.ts';
import { PostgresEngine } from './postgres/engine.ts';

/** Opens nothing yet: the first read or write does. */
export function openEngine(settings: ConnectionSettings): Engine {
  if (settings.engine === 'postgres') return new PostgresEngine(settings);
  if (settings.engine === 'mysql' || settings.engine === 'mariadb') return new MysqlEngine(settings, settings.engine);
  if (settings.engine === 'cockroachdb') return new CockroachEngine(settings);
  throw new ResourceError('NotImplemented', `this release does not manage ${settings.engine} servers yet`, {
    retryable: false,
  });
}
