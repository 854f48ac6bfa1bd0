/** The record that a Grant leaves on its resource. */
import type { AppliedEntry } from './applied.ts';
import type { AuthorityAcl, AuthorityObserved } from './grant-authority.ts';
import type { GrantDiff } from './grant-diff.ts';
import type { GrantWish } from './grant-slot.ts';
import { type GrantSubject, objectKey } from './grant-target.ts';
import type { ObjectTarget } from './model/objects.ts';

export function recordGrant(
  wish: GrantWish,
  subject: GrantSubject,
  before: readonly AppliedEntry[],
  observed: AuthorityObserved,
  diff: GrantDiff,
): AppliedEntry[] {
  const entries: AppliedEntry[] = [];
  for (const target of recordedTargets(subject, observed)) {
    const found = foundDefaults(wish, subject, target, before, observed);
    const given = wish.privileges.filter((privilege) => !found.includes(privilege));
    if (given.length > 0)
      entries.push({
        target,
        privileges: given,
        ...(wish.withOption ? { withOption: true } : {}),
        ...(wish.grantor === undefined ? {} : { grantor: wish.grantor }),
      });
    if (found.length > 0) entries.push({ target, privileges: found, as: 'found' });
    if (target.name === '*') entries.push(...exceptions(found, before, observed));
  }
  return [...entries, ...diff.taken];
}

/** Under `*`, the objects whose default somebody had taken from PUBLIC before we declared it: those we give and take back. */
function exceptions(
  found: readonly string[],
  before: readonly AppliedEntry[],
  observed: AuthorityObserved,
): AppliedEntry[] {
  if (found.length === 0) return [];
  const earlier = Map.groupBy(before, ({ target }) => objectKey(target));
  return observed.objects.flatMap((acl) => {
    const known = earlier.get(objectKey(acl.target)) ?? [];
    const has = (as: AppliedEntry['as'], privilege: string) =>
      known.some((entry) => entry.as === as && entry.privileges.includes(privilege));
    const privileges = found.filter(
      (privilege) => has(undefined, privilege) || (!holds(acl, privilege) && !has('taken', privilege)),
    );
    return privileges.length === 0 ? [] : [{ target: acl.target, privileges }];
  });
}

const holds = (acl: AuthorityAcl, privilege: string): boolean =>
  acl.privileges.some((held) => held.privilege === privilege && held.column === undefined);

/** Named routines are recorded with the arguments they were found with: another of that name may come. */
function recordedTargets(subject: GrantSubject, observed: AuthorityObserved): ObjectTarget[] {
  const named = subject.type === 'routine' && subject.targets.some((target) => target.name !== '*');
  if (!named) return subject.targets;
  if (subject.targets.some((target) => target.name === '*')) return subject.targets.filter((t) => t.name === '*');
  return observed.objects.map(({ target }) => target);
}

/**
 * What PUBLIC held by the server's defaults before we declared it. Taking it away when we go would lock out everybody
 * who relies on the default.
 */
function foundDefaults(
  wish: GrantWish,
  subject: GrantSubject,
  target: ObjectTarget,
  before: readonly AppliedEntry[],
  observed: AuthorityObserved,
): string[] {
  if (wish.grantee.public !== true) return [];
  const defaults = subject.privileges.publicByDefault ?? [];
  const isSame = (entry: AppliedEntry) => objectKey(entry.target) === objectKey(target);
  const covers = (entry: AppliedEntry) => isSame(entry) || (target.name === '*' && entry.target.type === target.type);
  const earlier = before.filter(covers);
  return wish.privileges.filter((privilege) => {
    if (!defaults.includes(privilege)) return false;
    if (earlier.some((entry) => entry.as !== undefined && entry.privileges.includes(privilege))) return true;
    // What was given on one object by name says nothing of the others; under `*` it becomes an exception.
    if (earlier.some((entry) => entry.as === undefined && isSame(entry) && entry.privileges.includes(privilege)))
      return false;
    return observed.objects.some(
      (acl) => (target.name === '*' || objectKey(acl.target) === objectKey(target)) && holds(acl, privilege),
    );
  });
}
