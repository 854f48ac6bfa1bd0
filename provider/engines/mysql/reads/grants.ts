/** What grantees hold, read from the grant tables: one statement for all grants of a batch. */
import type { AuthorityAcl, HeldPrivilege } from '../../../resources/grant-authority.ts';
import { granteeWords, targetWords, withoutColumns } from '../../../resources/grant-target.ts';
import type { Grantee, ObjectTarget, RoutineType } from '../../../resources/model/objects.ts';
import type { GrantObserved, GrantQuery } from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { parseAccount } from '../accounts.ts';
import { escapedName } from '../database-pattern.ts';
import type { Session } from '../session.ts';
import { type Found, GrantsSnapshot } from './grants-snapshot.ts';
import { grantsSql } from './grants-sql.ts';

/** Answers the queries, in their order. */
export async function readGrants(
  session: Pick<Session, 'query'>,
  queries: readonly GrantQuery[],
  info: ServerInfo,
): Promise<GrantObserved[]> {
  const targets = queries.flatMap((query) => query.targets);
  const proxied = targets.flatMap(({ type, name = '' }) => (type === 'proxy' ? [parseAccount(name).name] : []));
  const users = new Set([...queries.map(({ grantee }) => userOf(grantee)), ...proxied]);
  const snapshot = new GrantsSnapshot(await session.query(grantsSql({ users, targets }, info)), info);
  return queries.map((query) => answer(query, snapshot));
}

/** MariaDB keeps what everybody holds like a role of that name. */
const PUBLIC = { name: 'PUBLIC', host: '' };

const userOf = (grantee: Grantee): string => (grantee.public === true ? PUBLIC.name : grantee.name);

function answer({ grantee, targets }: GrantQuery, snapshot: GrantsSnapshot): GrantObserved {
  const found = grantee.public === true ? publicOf(snapshot) : snapshot.find(grantee.name, grantee.host);
  const missing = new Set<string>();
  const objects = targets.flatMap((target) => aclsOf(target, found, snapshot, missing));
  return { granteeExists: found !== undefined, missing: [...missing], objects };
}

/** It is there once something was granted to it; until then it holds nothing. */
const publicOf = (snapshot: GrantsSnapshot): Found =>
  snapshot.find(PUBLIC.name, PUBLIC.host) ?? { ...PUBLIC, global: [], restrictions: [], defaultRole: undefined };

/**
 * The objects of a target. What is not there any more may still be granted on, and then its rights come back with the
 * next object of that name: so it is told as missing, and what is held on it as well.
 */
function aclsOf(
  target: ObjectTarget,
  found: Found | undefined,
  snapshot: GrantsSnapshot,
  missing: Set<string>,
): AuthorityAcl[] {
  const { database, name = '' } = target;
  const held = (...path: string[]): HeldPrivilege[] => (found === undefined ? [] : snapshot.heldBy(found, ...path));
  const acl = (privileges: HeldPrivilege[]): AuthorityAcl => ({
    target: withoutColumns(target),
    owner: '',
    privileges,
  });
  if (database !== undefined && !snapshot.isThere('isDatabase', database))
    missing.add(targetWords({ type: 'database', database }));
  switch (target.type) {
    case 'global':
      return [acl([...(found?.global ?? []).map(plain), ...held('global')])];
    case 'database':
    case 'databasePattern': {
      const wildcards = { databaseWildcards: snapshot.hasWildcards };
      const pattern = target.type === 'database' ? escapedName(database ?? '', wildcards) : name;
      const restriction = found?.restrictions.find((one) => snapshot.fold(one.database) === snapshot.fold(pattern));
      const restricted = restriction === undefined ? {} : { restricted: restriction.privileges };
      return [{ ...acl(held('database', snapshot.fold(pattern))), ...restricted }];
    }
    case 'table':
      return [
        tableAcl(target, acl(held('table', snapshot.fold(database ?? ''), snapshot.fold(name))), snapshot, missing),
      ];
    case 'routine':
      return routineAcls(target, found, snapshot, missing);
    case 'proxy': {
      const proxied = parseAccount(name);
      const known = snapshot.find(proxied.name, proxied.host);
      if (known === undefined) missing.add(granteeWords(proxied));
      const key = JSON.stringify([proxied.name, (known?.host ?? proxied.host ?? '%').toLowerCase()]);
      return [acl(held('proxy', key))];
    }
    default:
      return [];
  }
}

const plain = (privilege: string): HeldPrivilege => ({ privilege, grantable: false, grantor: '' });

/** Columns have no case to the server, except where a REVOKE looks for what was granted: Grants use small letters. */
function tableAcl(
  target: ObjectTarget,
  acl: AuthorityAcl,
  snapshot: GrantsSnapshot,
  missing: Set<string>,
): AuthorityAcl {
  const { database = '', name = '', columns = [] } = target;
  if (!snapshot.isThere('isTable', database, name)) missing.add(targetWords(withoutColumns(target)));
  else
    for (const column of columns)
      if (!snapshot.isThere('isColumn', database, name, column))
        missing.add(`column "${column}" of ${targetWords(withoutColumns(target))}`);
  const spelt = new Map(columns.map((column) => [column.toLowerCase(), column]));
  const privileges = acl.privileges.map((row): HeldPrivilege => {
    if (row.column === undefined) return row;
    const small = row.column.toLowerCase();
    const column = spelt.get(small) ?? small;
    return column === row.column ? row : { ...row, column, columnAsGranted: row.column };
  });
  return { ...acl, privileges };
}

const TYPES: readonly RoutineType[] = ['function', 'procedure'];

function routineAcls(
  target: ObjectTarget,
  found: Found | undefined,
  snapshot: GrantsSnapshot,
  missing: Set<string>,
): AuthorityAcl[] {
  const { database = '', name = '' } = target;
  const chosen = target.routineType === undefined ? TYPES : [target.routineType];
  const there = snapshot.routines(database, name);
  const path = [snapshot.fold(database), name.toLowerCase()];
  const acls = chosen.map((routineType): AuthorityAcl & { target: { routineType: RoutineType } } => ({
    target: { ...withoutColumns(target), routineType },
    owner: '',
    privileges: found === undefined ? [] : snapshot.heldBy(found, 'routine', ...path, routineType),
  }));
  const existing = acls.filter((acl) => there.includes(acl.target.routineType));
  if (existing.length === 0) missing.add(targetWords(target));
  return existing.length > 0 ? existing : acls.filter(({ privileges }) => privileges.length > 0);
}
