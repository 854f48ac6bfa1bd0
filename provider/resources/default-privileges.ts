/** DefaultPrivileges: what a role gets on objects that another role will create. */
import {
  type DefaultPrivileges,
  DefaultPrivilegesKind,
  type DefaultPrivilegesParameters,
} from '../api/default-privileges.ts';
import { invalidSpec, waiting } from '../common/errors.ts';
import { readAppliedDefaults } from './applied.ts';
import { type DefaultsWish, diffDefaults } from './default-privileges-diff.ts';
import { type Acting, denied, type Reach } from './grant-authority.ts';
import { granteeOf, granteeWords } from './grant-target.ts';
import type { Grantee } from './model/objects.ts';
import type { DefaultPrivilegesObserved } from './model/privileges.ts';
import type { Step } from './model/steps.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { type PrivilegeTables, tableOf } from './privilege-set-tables.ts';
import { expandPrivileges, type ObjectPrivileges, objectPrivileges, unlessInvalid } from './privilege-set.ts';

/** What engines whose roles can act for each other add to the model's read. */
export interface DefaultsAuthority extends DefaultPrivilegesObserved {
  reach?: Reach;
}

interface Subject {
  spec: DefaultPrivilegesParameters;
  identity: { database: string; creator: string; schema: string | undefined };
  grantee: Grantee;
  object: ObjectPrivileges;
}

export class DefaultPrivilegesPlanner implements Planner<DefaultPrivileges> {
  readonly kind = DefaultPrivilegesKind;
  readonly #tables: PrivilegeTables;

  constructor(tables: PrivilegeTables) {
    this.#tables = tables;
  }

  async plan(resource: DefaultPrivileges, context: PlanContext): Promise<Plan> {
    const subject = this.#subject(resource, context);
    const { identity } = subject;
    const wish = wishOf(subject, words(subject, context));
    if (wish.withOption && wish.grantee.public === true)
      throw invalidSpec('withOption: PUBLIC cannot have the grant option');
    const observed = await read(wish, context);
    if (observed.missing.length > 0)
      throw waiting(`${observed.missing.join(', ')} does not exist; it is looked for again`);
    const diff = diffDefaults(wish, readAppliedDefaults(context.applied), observed);
    const place = wish.schema === undefined ? '' : ` in schema "${wish.schema}"`;
    const what = `${wish.privileges.join(', ') || 'nothing'} on each new ${wish.objectType} of "${wish.creator}"${place} of database "${wish.database}" to ${granteeWords(wish.grantee)}`;
    return {
      exists: context.owned && diff.grants.length === 0,
      steps: acting([...diff.grants, ...diff.revokes], identity.creator, observed, context),
      unchangeable: [],
      ...(diff.ineffective.length === 0
        ? {}
        : { unready: { reason: 'NoEffect', message: noEffect(wish, diff.ineffective) } }),
      applied: diff.applied,
      atProvider: { granted: [what] },
    };
  }

  async planDelete(resource: DefaultPrivileges, context: PlanContext): Promise<Plan> {
    const subject = unlessInvalid(() => this.#subject(resource, context));
    if (subject === undefined) return GONE;
    const { identity } = subject;
    const wish = wishOf(subject, unlessInvalid(() => words(subject, context)) ?? []);
    const observed = await read(wish, context);
    if (observed.missing.length > 0) return GONE;
    const recorded = readAppliedDefaults(context.applied);
    const isRecorded = recorded.length > 0 || !context.owned || wish.privileges.length === 0;
    const before = isRecorded ? recorded : [{ privileges: wish.privileges }];
    const nothing: DefaultsWish = { ...wish, privileges: [], withOption: false, keepsDefaults: true };
    const diff = diffDefaults(nothing, before, observed);
    const steps = acting([...diff.grants, ...diff.revokes], identity.creator, observed, context);
    return { ...GONE, exists: steps.length > 0, steps };
  }

  #subject(resource: DefaultPrivileges, { reader: { server } }: PlanContext): Subject {
    const spec = resource.spec.forProvider;
    const table = tableOf(this.#tables, server);
    const { database, targetRole: creator, role, schema } = spec;
    if (database === undefined || creator === undefined || role === undefined)
      throw invalidSpec('database, targetRole and role: are not resolved');
    if (creator === 'PUBLIC') throw invalidSpec('targetRole: PUBLIC creates nothing; name a role');
    const object = objectPrivileges(table.defaults, spec.objectType, server);
    if (schema !== undefined && object.within !== 'schema')
      throw invalidSpec(`objectType: ${spec.objectType} cannot be combined with a schema, it is not inside one`);
    return { spec, identity: { database, creator, schema }, grantee: granteeOf(role, table), object };
  }
}

const GONE: Plan = { exists: false, steps: [], unchangeable: [], atProvider: {} };

const words = ({ spec, object }: Subject, { reader }: PlanContext): string[] =>
  expandPrivileges(spec.privileges, object, reader.server);

function wishOf({ spec, identity, grantee, object }: Subject, privileges: string[]): DefaultsWish {
  return {
    ...identity,
    objectType: spec.objectType,
    grantee,
    privileges,
    withOption: spec.withOption === true,
    publicByDefault: object.publicByDefault ?? [],
    keepsDefaults: false,
  };
}

async function read(wish: DefaultsWish, { reader }: PlanContext): Promise<DefaultsAuthority> {
  const { database, creator, grantee, objectType, schema } = wish;
  return await reader.read('defaultPrivileges', {
    database,
    creator,
    grantee,
    objectType,
    ...(schema === undefined ? {} : { schema }),
  });
}

/** Only the creator, or who has its rights, may change what its objects give. */
function acting(steps: Step[], creator: string, observed: DefaultsAuthority, { reader }: PlanContext): Step[] {
  const { reach } = observed;
  if (steps.length === 0 || reach === undefined || reach.inherit) return steps;
  const admin = reader.server.admin.name;
  if (!reach.set && !reach.borrow)
    throw denied(
      `cannot change the default privileges of "${creator}": "${admin}" is no member of that role; GRANT "${creator}" TO "${admin}"`,
    );
  const acting: Acting = { grantor: reach.as ?? creator, ...(reach.set ? {} : { borrow: true }) };
  return steps.map((step) => Object.assign({ ...step }, acting));
}

const noEffect = (wish: DefaultsWish, privileges: readonly string[]): string =>
  `PUBLIC has ${privileges.join(', ')} on each new ${wish.objectType} of "${wish.creator}" in the whole database "${wish.database}", and a rule for schema "${wish.schema}" can only add to that; take it away with a DefaultPrivileges without schema`;
