/** The engines there are. */
import { ResourceError } from '../resources/errors.ts';
import type { ConnectionSettings, Engine } from './engine.ts';
import { PostgresEngine } from './postgres/engine.ts';

/** Opens nothing yet: the first read or write does. */
export function openEngine(settings: ConnectionSettings): Engine {
  if (settings.engine === 'postgres') return new PostgresEngine(settings);
  throw new ResourceError('NotImplemented', `this release does not manage ${settings.engine} servers yet`, {
    retryable: false,
  });
}
