/** DefaultPrivileges: what a role gets on objects that another role will create. */
import {
  type DefaultPrivileges,
  DefaultPrivilegesKind,
  type DefaultPrivilegesParameters,
} from '../api/default-privileges.ts';
import { readAppliedDefaults } from './applied.ts';
import { type DefaultsWish, diffDefaults } from './default-privileges-diff.ts';
import { invalidSpec, waiting } from './errors.ts';
import { type Acting, denied, type Reach } from './grant-authority.ts';
import { granteeOf, granteeWords } from './grant-target.ts';
import type { DefaultPrivilegesObserved, Step } from './model.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { expandPrivileges, type ObjectPrivileges, objectPrivileges, type PrivilegeTable } from './privilege-set.ts';
import { type PrivilegeTables, tableOf } from './privilege-set-tables.ts';

/** What engines whose roles can act for each other add to the model's read. */
export interface DefaultsAuthority extends DefaultPrivilegesObserved {
  reach?: Reach;
}

interface Identity {
  database: string;
  creator: string;
  role: string;
  schema: string | undefined;
}

export class DefaultPrivilegesPlanner implements Planner<DefaultPrivileges> {
  readonly kind = DefaultPrivilegesKind;
  readonly #tables: PrivilegeTables;

  constructor(tables: PrivilegeTables) {
    this.#tables = tables;
  }

  async plan(resource: DefaultPrivileges, context: PlanContext): Promise<Plan> {
    const { spec, identity, object, table } = this.#subject(resource, context);
    const wish = wishOf(spec, identity, object, table, context);
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
    const { spec, identity, object, table } = this.#subject(resource, context);
    const wish = wishOf(spec, identity, object, table, context);
    const observed = await read(wish, context);
    const recorded = readAppliedDefaults(context.applied);
    const before =
      recorded.length === 0 && context.owned && wish.privileges.length > 0
        ? [{ privileges: wish.privileges }]
        : recorded;
    const nothing: DefaultsWish = { ...wish, privileges: [], withOption: false, keepsDefaults: true };
    const diff = observed.missing.length > 0 ? undefined : diffDefaults(nothing, before, observed);
    const steps = diff === undefined ? [] : [...diff.grants, ...diff.revokes];
    return {
      exists: steps.length > 0,
      steps: acting(steps, identity.creator, observed, context),
      unchangeable: [],
      atProvider: {},
    };
  }

  #subject(resource: DefaultPrivileges, context: PlanContext) {
    const spec = resource.spec.forProvider;
    const { server } = context.reader;
    const table = tableOf(this.#tables, server);
    const { database, targetRole: creator, role, schema } = spec;
    if (database === undefined || creator === undefined || role === undefined)
      throw invalidSpec('database, targetRole and role: are not resolved');
    if (creator === 'PUBLIC') throw invalidSpec('targetRole: PUBLIC creates nothing; name a role');
    const object = objectPrivileges(table.defaults, spec.objectType, server);
    if (schema !== undefined && object.within !== 'schema')
      throw invalidSpec(`objectType: ${spec.objectType} cannot be combined with a schema, it is not inside one`);
    return { spec, identity: { database, creator, role, schema }, object, table };
  }
}

function wishOf(
  spec: DefaultPrivilegesParameters,
  { database, creator, role, schema }: Identity,
  object: ObjectPrivileges,
  table: PrivilegeTable,
  { reader: { server } }: PlanContext,
): DefaultsWish {
  const grantee = granteeOf(role, table);
  if (spec.withOption === true && grantee.public === true)
    throw invalidSpec('withOption: PUBLIC cannot have the grant option');
  return {
    database,
    creator,
    schema,
    objectType: spec.objectType,
    grantee,
    privileges: expandPrivileges(spec.privileges, object, server),
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
