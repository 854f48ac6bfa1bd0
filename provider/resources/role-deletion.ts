/** What it takes to drop a role that owns something or holds privileges, in every database where it does. */
import type { RoleParameters } from '../api/role.ts';
import { ResourceError, waiting } from '../common/errors.ts';
import type { RoleDependencies } from './model/roles.ts';
import type { Step } from './model/steps.ts';
import type { PlanContext } from './planner.ts';
import { accountKey } from './role-account.ts';
import { isLoadedBeside } from './names.ts';
import { ownRole } from './tenant-own.ts';

type Owned = RoleDependencies['owned'];

/** Throws DependentObjects for what the spec gives no leave to touch. */
export async function dropSteps(spec: RoleParameters, context: PlanContext): Promise<Step[]> {
  const { reader, externalName: name } = context;
  if (reader.server.accounts !== undefined) return await accountDropSteps(spec, context);
  const { owned, databases } = await reader.read('roleDependencies', { name });
  const onDelete: Partial<RoleParameters['onDelete']> = spec.onDelete ?? {};
  const { reassignOwnedTo, reassignOwnedToAdmin, dropOwned, revokeGrants } = onDelete;
  const isGivenAway = reassignOwnedTo !== undefined || reassignOwnedToAdmin === true;
  if (owned.length > 0 && reassignOwnedTo !== undefined) await refuseHeir(reassignOwnedTo, owned, context);
  if (owned.length > 0 && !isGivenAway && dropOwned !== true)
    throw blocked(
      `${who(name)} owns ${inWords(owned)}; set forProvider.onDelete.reassignOwnedTo or reassignOwnedToAdmin to give it away, or dropOwned to drop it`,
    );
  // DROP OWNED leaves databases and tablespaces, which belong to no database.
  const shared = owned.filter(({ database }) => database === '');
  if (shared.length > 0 && !isGivenAway)
    throw blocked(
      `${who(name)} owns ${inWords(shared)}, which forProvider.onDelete.dropOwned does not drop; drop it first, or set reassignOwnedTo or reassignOwnedToAdmin to give it away`,
    );
  if (databases.length > 0 && !isGivenAway && dropOwned !== true && revokeGrants === false)
    throw blocked(
      `${who(name)} holds privileges in ${databases.map((database) => JSON.stringify(database)).join(', ')} and forProvider.onDelete.revokeGrants is false; revoke them, or set it to true`,
    );
  // With nothing to inherit, the heir need not be there. Were something made in this moment, DROP OWNED would drop it:
  // of a tenant it must, as a function that became the administrator's would run with the administrator's rights.
  const to = owned.length > 0 ? (reassignOwnedTo ?? null) : null;
  const isDropped =
    (dropOwned === true && !isGivenAway) ||
    (context.tenant !== undefined && to === null && reassignOwnedToAdmin !== true);
  return [
    ...databases.flatMap((database): Step[] => [
      ...(isDropped ? [] : [{ kind: 'reassignOwned' as const, database, from: name, to }]),
      { kind: 'dropOwned', database, role: name },
    ]),
    { kind: 'dropRole', ...accountKey(name, spec) },
  ];
}

/** Nothing belongs to an account, but what it has defined runs with its rights, and fails without it. */
async function accountDropSteps(spec: RoleParameters, { reader, externalName: name }: PlanContext): Promise<Step[]> {
  const key = accountKey(name, spec);
  const { owned: defined } = await reader.read('roleDependencies', key);
  if (defined.length > 0)
    throw blocked(
      `${who(name)} is the definer of ${inWords(defined)}, which would fail without it; drop that or give it another definer, or set forProvider.onDelete.keepIfOwner and the account stays for it, locked`,
    );
  return [{ kind: 'dropRole', ...key }];
}

/**
 * Why the role stays on the server as the owner of what it owns; undefined when it is to be dropped.
 * @throws Waiting while a resource manages a database of the role, or one is being loaded: nobody knows yet what becomes of it.
 */
export async function reasonToStay(spec: RoleParameters, context: PlanContext): Promise<string | undefined> {
  if (spec.onDelete?.keepIfOwner !== true) return undefined;
  // A Database that went while this was read has dropped its database since, or left it: the second answer says which.
  return (await ownedForGood(spec, context)) && (await ownedForGood(spec, context));
}

async function ownedForGood(spec: RoleParameters, context: PlanContext): Promise<string | undefined> {
  const { reader, externalName: name, isManaged } = context;
  const { owned, ownedDatabases } = await reader.read('roleDependencies', accountKey(name, spec));
  if (owned.length === 0 || (await hasHeir(spec.onDelete?.reassignOwnedTo, context))) return undefined;
  const isDefiner = reader.server.accounts !== undefined;
  const managed = ownedDatabases.find((database) => isManaged?.({ kind: 'Database', name: database }) === true);
  if (managed !== undefined)
    throw waiting(
      `${who(name)} ${isDefiner ? 'is the definer of what is in' : 'owns'} database ${JSON.stringify(managed)}, which a Database still manages`,
    );
  const loaded = ownedDatabases.find(isLoadedBeside);
  if (loaded !== undefined)
    throw waiting(
      `${who(name)} ${isDefiner ? 'is the definer of what is in' : 'owns'} database ${JSON.stringify(loaded)}, which a Restore or Copy loads and drops when it ends; drop it by hand if there is none`,
    );
  return `it ${isDefiner ? 'is the definer of' : 'owns'} ${inWords(owned)}`;
}

async function hasHeir(heir: string | undefined, context: PlanContext): Promise<boolean> {
  const { reader, externalName, tenant } = context;
  if (heir === undefined || heir === externalName || (await reader.read('role', { name: heir })) === undefined)
    return false;
  return tenant === undefined || (await ownRole(context, tenant)({ name: heir }));
}

async function refuseHeir(heir: string, owned: Owned, { reader, externalName: name }: PlanContext): Promise<void> {
  if (heir !== name && (await reader.read('role', { name: heir })) !== undefined) return;
  throw blocked(
    `${who(name)} owns ${inWords(owned)}, and forProvider.onDelete.reassignOwnedTo is ${JSON.stringify(heir)}, ${heir === name ? 'the role itself' : 'which does not exist'}; name another role`,
  );
}

const who = (name: string): string => `role ${JSON.stringify(name)}`;

const blocked = (message: string): ResourceError => new ResourceError('DependentObjects', message);

/** Objects that are named for each database; the others are counted. */
const NAMED = 5;

export const inWords = (owned: Owned): string =>
  owned
    .map(({ database, objects, count }) => {
      const named = objects.slice(0, NAMED);
      const rest = count - named.length;
      const others = `${rest} ${named.length === 0 ? '' : 'other '}object${rest === 1 ? '' : 's'}`;
      const what = [...(named.length === 0 ? [] : [named.join(', ')]), ...(rest > 0 ? [others] : [])].join(' and ');
      return database === '' ? what : `${what} in database ${JSON.stringify(database)}`;
    })
    .join('; ');
