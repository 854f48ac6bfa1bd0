/** Whether what is on the server is the tenant's. */
import { roleReference } from '../api/role.ts';
import { isUnfinished } from './database-unfinished.ts';
import type { ServerInfo } from './model/server.ts';
import type { PlanContext } from './planner.ts';
import type { Tenant } from './tenant.ts';

/** A role as the server knows it; an account has a host as well. */
export interface RoleKey {
  name: string;
  host?: string;
}

/** Whether what is on the server under that name is the tenant's. What is not there is nobody's, and true as well. */
export type IsOwn<Key = string> = (key: Key) => Promise<boolean>;

export function ownRole({ reader }: PlanContext, tenant: Tenant): IsOwn<RoleKey> {
  return async (key) => {
    const { name, host } = accountOf(key, reader.server);
    const observed = await reader.read('role', host === undefined ? { name } : { name, host });
    if (observed === undefined) return true;
    return tenant.made({ kind: 'Role', name: roleReference(name, host) }, observed.mark, reader.server);
  };
}

/** Where logins are accounts, a group may be named together with its host. */
function accountOf(key: RoleKey, { accounts }: ServerInfo): RoleKey {
  const at = key.name.lastIndexOf('@');
  if (accounts === undefined || key.host !== undefined || at < 0) return key;
  return { name: key.name.slice(0, at), host: key.name.slice(at + 1) };
}

/** A database may have lost its mark: its owner can write another comment. What a role of the tenant owns is the tenant's. */
export function ownDatabase(context: PlanContext, tenant: Tenant): IsOwn {
  const { reader } = context;
  return async (name) => {
    const observed = await reader.read('database', { name });
    if (observed === undefined) return true;
    const mark = observed.mark ?? (isUnfinished(observed, context.mark) ? context.mark : undefined);
    if (tenant.made({ kind: 'Database', name }, mark, reader.server)) return true;
    // Where databases have no owner, that proves nothing.
    if (observed.mark !== undefined || observed.owner === '') return false;
    return await ownRole(context, tenant)({ name: observed.owner });
  };
}

/** Whoever owns a database may say what becomes of its schema public. */
const OF_THE_DATABASE = 'pg_database_owner';

export async function isOwnSchema(
  database: string,
  name: string,
  context: PlanContext,
  tenant: Tenant,
): Promise<boolean> {
  if (name === 'public') return true;
  const { reader } = context;
  const observed = await reader.read('schema', { database, name });
  if (observed === undefined || observed.owner === OF_THE_DATABASE) return true;
  if (tenant.made({ kind: 'Schema', name: `${database}/${name}` }, observed.mark, reader.server)) return true;
  return await ownRole(context, tenant)({ name: observed.owner });
}
