/** Grant: what one role may do with objects of one database or server, and exactly that taken back. */
import { type Grant, GrantKind, type GrantParameters } from '../api/grant.ts';
import { invalidSpec, waiting } from '../common/errors.ts';
import { type AppliedEntry, readApplied, type Scope, strayTarget } from './applied.ts';
import { type AuthorityObserved, type AuthorityQuery, denied } from './grant-authority.ts';
import type { Blocked } from './grant-diff.ts';
import type { Keeps } from './grant-diff.ts';
import { planMembership, planMembershipDelete } from './grant-membership.ts';
import { baseWish, diffParts, type GrantPart, grantParts, readableParts } from './grant-parts.ts';
import { recordGrant } from './grant-record.ts';
import { keptBySiblings } from './grant-siblings.ts';
import type { GrantWish } from './grant-slot.ts';
import { granteeOf, granteeWords, type GrantSubject, objectKey, targetWords, withoutColumns } from './grant-target.ts';
import type { Grantee, ObjectTarget } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';
import { isImpossibleName, refuseFoldedName, refuseImpossibleName, refuseReservedRole } from './names.ts';
import type { Plan, PlanContext, Planner, Reader } from './planner.ts';
import { type PrivilegeTables, tableOf } from './privilege-set-tables.ts';
import { type PrivilegeTable, unlessInvalid } from './privilege-set.ts';
import { ownObjects } from './tenant-objects.ts';

export class GrantPlanner implements Planner<Grant> {
  readonly kind = GrantKind;
  readonly #tables: PrivilegeTables;

  constructor(tables: PrivilegeTables) {
    this.#tables = tables;
  }

  async plan(resource: Grant, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { server } = context.reader;
    const table = tableOf(this.#tables, server);
    // The accounts that such a server, or whoever runs it, lives by are never touched.
    if (table.hosts && spec.role !== undefined)
      refuseReservedRole(server.engine, nameOf(spec.role, table), server.admin.name);
    for (const [what, name] of namesIn(spec)) refuseImpossibleName(server.engine, what, name);
    if (spec.memberOf !== undefined) return await planMembership(spec, context, table);
    for (const field of ['withInherit', 'withSet'] as const)
      if (spec[field] !== undefined) throw invalidSpec(`forProvider.${field} is for memberOf; leave it out`);
    refuseFoldedName(server, spec.database);
    const parts = grantParts(spec, table, server);
    const base = baseWish(spec, table);
    if (base.withOption && base.grantee.public === true)
      throw invalidSpec('withOption: PUBLIC cannot have the grant option');
    refuseMove(context.applied, scopeOf(spec, parts));
    const { applied, now, before, rules } = await read(spec, base, parts, table, context);
    if (!now.granteeExists) throw waiting(`role ${granteeWords(base.grantee)} does not exist; it is looked for again`);
    if (now.missing.length > 0) throw waiting(`${now.missing.join(', ')} does not exist; it is looked for again`);
    refuseAmbiguous(targetsOf(parts), now);
    const { whole, byPart } = sparing(
      (keeping) => diffParts(parts, nothing(base), applied, now.objects, before.objects, { ...rules, ...keeping }),
      () => keptBySiblings(siblingsOf(context), base.grantee, table, server),
    );
    // Grants before revokes, in one transaction: nobody is ever without what they keep.
    const steps = [...whole.grants, ...whole.revokes];
    const unready = blockedMessage(whole.blocked, server);
    if (unready !== undefined && steps.length === 0 && !context.owned) throw denied(unready);
    return {
      exists: context.owned && whole.complete,
      steps,
      unchangeable: [],
      ...(unready === undefined ? {} : { unready: { reason: 'PermissionDenied', message: unready } }),
      applied: byPart.flatMap(({ part, applied: mine, objects, diff }) =>
        recordGrant(part.wish, part.subject, mine, { ...now, objects }, diff),
      ),
      atProvider: {
        granted: parts
          .flatMap(({ wish, subject }) => subject.targets.map((target) => grantedWords(wish, target)))
          .slice(0, 20),
        objects: now.objects.length,
      },
    };
  }

  async planDelete(resource: Grant, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { server } = context.reader;
    const table = this.#tables[server.engine];
    // What was never resolved was never granted, nor can a spec that is wrong by now keep its resource alive.
    if (table === undefined || spec.role === undefined) return GONE;
    if (namesIn(spec).some(([, name]) => isImpossibleName(server.engine, name))) return GONE;
    if (spec.memberOf !== undefined) return await planMembershipDelete(spec, context);
    const base = unlessInvalid(() => baseWish(spec, table));
    if (base === undefined) return GONE;
    const parts = readableParts(spec, table, server);
    const state = await read(spec, base, parts, table, context, false);
    const isRecorded = state.applied.length > 0 || !context.owned;
    const applied = isRecorded ? state.applied : parts.flatMap(({ wish, subject }) => declared(wish, subject));
    const objects = [...state.now.objects, ...state.before.objects];
    const { whole } = sparing(
      (keeping) => diffParts([], nothing(base), applied, [], objects, { ...state.rules, ...keeping }),
      () => keptBySiblings(siblingsOf(context), base.grantee, table, server),
    );
    const steps = [...whole.grants, ...whole.revokes];
    const blocked = blockedMessage(whole.blocked, server);
    // A refusal keeps the finalizer: what we gave is still there, and somebody has to know.
    if (blocked !== undefined && steps.length === 0) throw denied(blocked);
    return { ...GONE, exists: steps.length > 0, steps };
  }
}

/** Every name that the server would be asked for. */
function namesIn(spec: GrantParameters): [what: string, name: string][] {
  const { role, memberOf, proxyOf, database, databasePattern, also = [] } = spec;
  const lists = [spec, ...also].flatMap(({ tables = [], columns = [], routines = [] }) => [
    ...tables.map((name): [string, string] => ['table', name]),
    ...columns.map((name): [string, string] => ['column', name]),
    ...routines.map(({ name }): [string, string] => ['routine', name]),
  ]);
  const one = (what: string, name: string | undefined): [string, string][] =>
    name === undefined ? [] : [[what, name]];
  return [
    ...one('role', role),
    ...one('role', memberOf),
    ...one('role', proxyOf),
    ...one('database', database),
    ...one('database', databasePattern),
    ...lists,
  ];
}

function nameOf(role: string, table: PrivilegeTable): string {
  const grantee = role === 'PUBLIC' ? undefined : granteeOf(role, table);
  return grantee?.public === true || grantee === undefined ? '' : grantee.name;
}

type Diffed = ReturnType<typeof diffParts>;

/** Others are only looked at when something would be taken, which is seldom. */
function sparing(diff: (keeping: { keeps?: Keeps }) => Diffed, keeps: () => Keeps): Diffed {
  const plain = diff({});
  return plain.whole.revokes.length === 0 ? plain : diff({ keeps: keeps() });
}

const siblingsOf = (context: PlanContext): GrantParameters[] => (context.siblings?.() ?? []) as GrantParameters[];

const GONE: Plan = { exists: false, steps: [], unchangeable: [], atProvider: {} };

const nothing = (base: GrantWish): GrantWish => ({ ...base, privileges: [], exclusive: false });

const targetsOf = (parts: readonly GrantPart[]): ObjectTarget[] => parts.flatMap(({ subject }) => subject.targets);

const scopeOf = ({ database }: GrantParameters, parts: readonly GrantPart[]): Scope => ({
  database,
  ...(parts[0] === undefined ? {} : { type: parts[0].subject.type }),
});

function refuseMove(applied: unknown, scope: Scope): void {
  const stray = strayTarget(applied, scope);
  if (stray !== undefined)
    throw invalidSpec(
      `this Grant was on ${targetWords(stray)} and cannot move to another database: delete it and create another`,
    );
}

async function read(
  spec: GrantParameters,
  base: GrantWish,
  parts: readonly GrantPart[],
  table: PrivilegeTable,
  context: PlanContext,
  isWished = true,
) {
  const { reader, applied: record } = context;
  const targets = targetsOf(parts);
  const applied = readApplied(record, scopeOf(spec, parts));
  const [now, before] = await Promise.all([
    readObjects(reader, base.grantee, targets, base.grantor),
    readObjects(reader, base.grantee, recordedTargets(applied, targets), base.grantor),
  ]);
  const authority = { admin: reader.server.admin.name, reach: mergedReach(now, before) };
  return {
    applied,
    now: await withoutOthers(now, isWished ? targets : [], context),
    before: await withoutOthers(before, [], context),
    rules: { authority, table },
  };
}

const NONE: AuthorityObserved = { granteeExists: true, missing: [], objects: [] };

async function readObjects(
  reader: Reader,
  grantee: Grantee,
  targets: ObjectTarget[],
  grantor: string | undefined,
): Promise<AuthorityObserved> {
  if (targets.length === 0) return NONE;
  const query: AuthorityQuery = { grantee, targets, ...(grantor === undefined ? {} : { grantor }) };
  return await reader.read('grant', query);
}

/** The record is looked at as well: whoever may edit the resource may write anything into it. */
async function withoutOthers(
  observed: AuthorityObserved,
  named: readonly ObjectTarget[],
  context: PlanContext,
): Promise<AuthorityObserved> {
  const { tenant } = context;
  if (tenant === undefined) return observed;
  return { ...observed, objects: await ownObjects(observed.objects, named, context, tenant) };
}

/** What the record names beyond the spec. */
function recordedTargets(applied: readonly AppliedEntry[], wished: readonly ObjectTarget[]): ObjectTarget[] {
  const known = new Set(wished.map(objectKey));
  const targets = new Map<string, ObjectTarget>();
  for (const { target } of applied)
    if (!known.has(objectKey(target))) targets.set(objectKey(target), withoutColumns(target));
  return [...targets.values()];
}

function mergedReach(a: AuthorityObserved, b: AuthorityObserved): AuthorityObserved['reach'] {
  return a.reach === undefined && b.reach === undefined ? undefined : { ...a.reach, ...b.reach };
}

function refuseAmbiguous(targets: readonly ObjectTarget[], observed: AuthorityObserved): void {
  for (const target of targets) {
    if (target.type !== 'routine' || target.args !== undefined || target.name === '*') continue;
    if (target.routineType !== undefined) continue;
    const found = observed.objects.filter(({ target: object }) => object.name === target.name);
    if (found.length > 1)
      throw invalidSpec(
        `routines: ${targetWords(target)} is ${found.length} routines; choose one by ${chosenBy(found.map((acl) => acl.target))}`,
      );
  }
}

function chosenBy(routines: readonly ObjectTarget[]): string {
  const types = routines.flatMap(({ args, routineType }) => (args === undefined ? (routineType ?? []) : []));
  if (types.length > 0) return `type: ${types.join(' or ')}`;
  return `args: ${routines.map(({ args = [] }) => `(${args.join(', ')})`).join(' or ')}`;
}

const declared = (wish: GrantWish, subject: GrantSubject): AppliedEntry[] =>
  subject.targets.map((target) => ({
    target,
    privileges: [...wish.privileges],
    ...(wish.grantor === undefined ? {} : { grantor: wish.grantor }),
  }));

const grantedWords = (wish: GrantWish, target: ObjectTarget): string =>
  `${wish.privileges.join(', ') || 'nothing'} on ${targetWords(target)} to ${granteeWords(wish.grantee)}${wish.withOption ? ' with grant option' : ''}`;

const SHOWN = 5;

function blockedMessage(blocked: readonly Blocked[], server: ServerInfo): string | undefined {
  if (blocked.length === 0) return undefined;
  const admin = `"${server.admin.name}"`;
  const lines = blocked.slice(0, SHOWN).map((b) => {
    const what = `cannot ${b.action} ${b.privileges.join(', ')} on ${targetWords(b.target)}`;
    if (b.grantor !== undefined && b.action === 'revoke')
      return `${what}: it was granted by "${b.grantor}", which ${admin} cannot act as; revoke it as "${b.grantor}"`;
    if (b.grantor !== undefined)
      return `${what}: the grantor "${b.grantor}" has neither the ownership nor the grant option, or ${admin} cannot act as it`;
    return `${what}: it is owned by "${b.owner}", and ${admin} is no member of that role and has no grant option; GRANT "${b.owner}" TO ${admin}, or grant ${admin} the privilege WITH GRANT OPTION`;
  });
  const more = blocked.length > SHOWN ? [`and ${blocked.length - SHOWN} more objects`] : [];
  return [...lines, ...more].join('; ');
}
