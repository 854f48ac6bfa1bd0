/** What other Grants give the same grantee: it is not taken away under their hands, to be given again by them. */
import type { GrantParameters } from '../api/grant.ts';
import type { Keeps } from './grant-diff.ts';
import { baseWish, readableParts } from './grant-parts.ts';
import { objectKey, withoutColumns } from './grant-target.ts';
import type { Grantee, ObjectTarget } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';
import { type PrivilegeTable, unlessInvalid } from './privilege-set.ts';

interface Kept {
  columns: readonly string[] | undefined;
  privileges: ReadonlySet<string>;
  withOption: boolean;
}

export function keptBySiblings(
  siblings: readonly GrantParameters[],
  grantee: Grantee,
  table: PrivilegeTable,
  server: ServerInfo,
): Keeps {
  const kept = new Map<string, Kept[]>();
  for (const spec of siblings) {
    const base = unlessInvalid(() => baseWish(spec, table));
    if (base === undefined || spec.memberOf !== undefined || !isSame(base.grantee, grantee)) continue;
    for (const { subject, wish } of readableParts(spec, table, server))
      for (const target of subject.targets) {
        const key = sameKey(withoutColumns(target), server);
        const list = kept.get(key) ?? [];
        kept.set(key, list);
        list.push({ columns: wish.columns, privileges: new Set(wish.privileges), withOption: wish.withOption });
      }
  }
  return (target, column, privilege, what) =>
    keysOf(target, server).some((key) =>
      kept
        .get(key)
        ?.some(
          ({ columns, privileges, withOption }) =>
            (column === undefined ? columns === undefined : columns?.includes(column) === true) &&
            privileges.has(privilege) &&
            (what === 'all' || withOption),
        ),
    );
}

const isSame = (a: Grantee, b: Grantee): boolean =>
  a.public === true || b.public === true
    ? a.public === b.public
    : a.name === b.name && (a.host ?? '%').toLowerCase() === (b.host ?? '%').toLowerCase();

/** Where a grant on a database is one on a pattern, the pattern of a single database is that database. */
function sameKey(target: ObjectTarget, { databaseWildcards, foldsDatabaseNames }: ServerInfo): string {
  const { type, database, name } = target;
  const pattern =
    type === 'databasePattern'
      ? name
      : type === 'database' && databaseWildcards === true
        ? escaped(database)
        : undefined;
  if (pattern === undefined) return objectKey(target);
  return objectKey({ type: 'databasePattern', name: foldsDatabaseNames === true ? pattern.toLowerCase() : pattern });
}

const escaped = (database: string | undefined): string | undefined => database?.replaceAll(/[\\_%]/g, String.raw`\$&`);

/** The ways in which a Grant may name the object: itself, a routine by its name alone, all of its kind. */
function keysOf(target: ObjectTarget, server: ServerInfo): string[] {
  const { type, database, schema, name } = target;
  const place = { ...(database === undefined ? {} : { database }), ...(schema === undefined ? {} : { schema }) };
  if (name === undefined || type === 'databasePattern') return [sameKey(target, server)];
  return [objectKey(target), objectKey({ type, ...place, name }), objectKey({ type, ...place, name: '*' })];
}
