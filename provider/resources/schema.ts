/** Schema: spec → steps. */
import { TRAITS } from '../api/engines.ts';
import { SchemaKind, type Schema, type SchemaParameters } from '../api/schema.ts';
import { ResourceError, waiting } from '../common/errors.ts';
import { defined, forCreation } from './creation.ts';
import { kept, nothingLeft, reasonToKeep } from './deletion.ts';
import type { SchemaObserved } from './model/databases.ts';
import type { Step } from './model/steps.ts';
import { refuseLongName, refuseReservedSchema } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';

const nameOf = (database: string, name: string): string =>
  `schema ${JSON.stringify(name)} of database ${JSON.stringify(database)}`;

export class SchemaPlanner implements Planner<Schema> {
  readonly kind = SchemaKind;
  readonly isNamed = true;

  async plan(resource: Schema, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    const database = spec.database ?? '';
    refuseWithoutSchemas(context);
    refuseReservedSchema(name);
    refuseLongName(reader.server.engine, 'schema', name);
    if ((await reader.read('database', { name: database })) === undefined)
      throw waiting(`database ${JSON.stringify(database)} (forProvider.database) does not exist yet`);
    const observed = await reader.read('schema', { database, name });
    const wanted = observed === undefined ? forCreation(resource) : spec;
    const plan = observed === undefined ? create(database, name, wanted, context) : change(spec, observed, context);
    const { owner } = wanted;
    if (owner !== undefined && observed?.owner !== owner && (await reader.read('role', { name: owner })) === undefined)
      throw waiting(`role ${JSON.stringify(owner)} (forProvider.owner) does not exist yet`);
    return plan;
  }

  async planDelete(resource: Schema, context: PlanContext): Promise<Plan> {
    const { database = '', dropPolicy } = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    if ((await reader.read('database', { name: database })) === undefined) return nothingLeft();
    const observed = await reader.read('schema', { database, name });
    if (observed === undefined || !isOursToDrop(observed.mark, context, true)) return nothingLeft();
    refuseReservedSchema(name);
    if (name === 'public') return kept(nameOf(database, name), 'every database has it');
    const contents = async () => await reader.read('schemaContents', { database, name });
    const why = await reasonToKeep({ dropPolicy, adopted: wasAdopted(context), contents });
    if (why !== undefined) return kept(nameOf(database, name), why);
    // Without CASCADE whatever somebody puts there in this moment makes the DROP fail, instead of going with it.
    const step: Step = { kind: 'dropSchema', database, name, cascade: dropPolicy === 'Always' };
    return { exists: true, steps: [step], unchangeable: [], atProvider: {} };
  }
}

function create(database: string, name: string, { owner }: SchemaParameters, context: PlanContext): Plan {
  const step: Step = { kind: 'createSchema', database, name, ...defined({ owner }), mark: context.mark };
  return { exists: false, steps: [step], unchangeable: [], applied: {}, atProvider: {} };
}

function change(spec: SchemaParameters, observed: SchemaObserved, context: PlanContext): Plan {
  const { database, name } = observed;
  const ownership = ownershipOf(nameOf(database, name), observed.mark, spec.adopt, context);
  const steps: Step[] = [];
  if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'schema', database, name }, mark: context.mark });
  if (spec.owner !== undefined && observed.owner !== spec.owner)
    steps.push({ kind: 'alterSchemaOwner', database, name, owner: spec.owner });
  if (spec.revokePublicOnSchema === true && observed.publicPrivileges.length > 0)
    steps.push({ kind: 'revokeSchemaPublic', database, name, privileges: observed.publicPrivileges });
  return {
    exists: true,
    steps,
    unchangeable: [],
    applied: ownership.record,
    atProvider: { owner: observed.owner },
  };
}

function refuseWithoutSchemas({ reader }: PlanContext): void {
  if (!TRAITS[reader.server.engine].hasSchemas)
    throw new ResourceError(
      'NotSupported',
      `${reader.server.product} has no schemas inside a database: use a Database`,
      { retryable: false },
    );
}
