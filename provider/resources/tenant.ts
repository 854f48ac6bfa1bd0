/**
 * What one of several tenants of a server may touch there. That a resource of the tenant names an object proves nothing:
 * the object must carry the mark of that resource, which only we could have put there.
 */
import { ResourceError } from '../common/errors.ts';
import type { Mark } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';

export interface Owned {
  kind: 'Database' | 'Role' | 'Schema';
  /** As on the server; of a schema `database/schema`. */
  name: string;
}

export interface Tenant {
  /** Whether a resource of the tenant made the object that carries this mark. */
  made(object: Owned, mark: Mark | undefined, server: ServerInfo): boolean;
  /** Whether the platform lets the tenant's roles join a group that is nobody's. */
  mayJoin(group: string): boolean;
  /** Whether the platform lets the tenant give a setting that not everybody may change. */
  maySet(setting: string): boolean;
}

export const notYours = (message: string): ResourceError => new ResourceError('NotYours', message);
