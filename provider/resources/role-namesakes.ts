/**
 * What comes to an account by its name alone. MySQL and MariaDB look for the rights on databases and tables by the name
 * of the user and the host that the client comes from, not by the account: `app@10.0.0.1` has what `app@%` was granted.
 * And whatever names an account as its definer runs with the rights of whoever is called so by then.
 */
import { type RoleParameters, roleReference } from '../api/role.ts';
import type { PlanContext } from './planner.ts';
import { accountKey } from './role-account.ts';
import { inWords } from './role-deletion.ts';
import { notYours } from './tenant.ts';
import { ownDatabase } from './tenant-own.ts';

/** For a new account on a server that tenants share. Throws NotYours when it would share rights with another's. */
export async function refuseNamesakes(spec: RoleParameters, context: PlanContext): Promise<void> {
  const { reader, tenant, externalName: name } = context;
  if (tenant === undefined || reader.server.accounts === undefined) return;
  for (const { host, mark } of await reader.read('namesakes', { name }))
    if (!tenant.made({ kind: 'Role', name: roleReference(name, host) }, mark, reader.server))
      throw notYours(
        `role ${JSON.stringify(name)}: an account of that name at another host is on this server and was not made by a resource of this namespace, and accounts of one name share their rights on databases; choose another name`,
      );
  const isOwn = ownDatabase(context, tenant);
  const { owned } = await reader.read('roleDependencies', accountKey(name, spec));
  for (const one of owned)
    if (!(await isOwn(one.database)))
      throw notYours(
        `role ${JSON.stringify(name)} is named as the definer of ${inWords([one])}, which would run with its rights and is not this namespace's; choose another name`,
      );
}
