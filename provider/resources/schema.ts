/** Schema: spec → steps. */
import { SchemaKind, type Schema, type SchemaParameters } from '../api/schema.ts';
import { ResourceError, waiting } from './errors.ts';
import type { Step } from './model.ts';
import { refuseLongName, refuseReservedSchema } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';

const nothing = (notes: Plan['notes'] = []): Plan => ({
  exists: false,
  steps: [],
  unchangeable: [],
  atProvider: {},
  notes,
});

export class SchemaPlanner implements Planner<Schema> {
  readonly kind = SchemaKind;

  async plan(resource: Schema, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    const database = spec.database ?? '';
    refuseWithoutSchemas(context);
    refuseReservedSchema(name);
    refuseLongName(reader.server.engine, 'schema', name);
    if ((await reader.read('database', { name: database })) === undefined)
      throw waiting(`database ${JSON.stringify(database)} does not exist yet`);
    const observed = await reader.read('schema', { database, name });
    if (
      spec.owner !== undefined &&
      observed?.owner !== spec.owner &&
      (await reader.read('role', { name: spec.owner })) === undefined
    )
      throw waiting(`role ${JSON.stringify(spec.owner)} (forProvider.owner) does not exist yet`);
    if (observed === undefined)
      return {
        exists: false,
        steps: [
          {
            kind: 'createSchema',
            database,
            name,
            ...(spec.owner === undefined ? {} : { owner: spec.owner }),
            mark: context.mark,
          },
        ],
        unchangeable: [],
        applied: {},
        atProvider: {},
      };
    const ownership = ownershipOf(
      `schema ${JSON.stringify(name)} of database ${JSON.stringify(database)}`,
      observed.mark,
      spec.adopt,
      context,
    );
    const steps: Step[] = [];
    if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'schema', database, name }, mark: context.mark });
    if (spec.owner !== undefined && observed.owner !== spec.owner)
      steps.push({ kind: 'alterSchemaOwner', database, name, owner: spec.owner });
    if (spec.revokePublicOnSchema && observed.publicPrivileges.length > 0)
      steps.push({ kind: 'revokeSchemaPublic', database, name, privileges: observed.publicPrivileges });
    return {
      exists: true,
      steps,
      unchangeable: [],
      applied: ownership.adopted ? { adopted: true } : {},
      atProvider: { owner: observed.owner },
    };
  }

  async planDelete(resource: Schema, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    const database = spec.database ?? '';
    if ((await reader.read('database', { name: database })) === undefined) return nothing();
    const observed = await reader.read('schema', { database, name });
    if (observed === undefined || !isOursToDrop(observed.mark, context)) return nothing();
    const kept = await reasonToKeep(spec, database, name, context);
    if (kept !== undefined)
      return nothing([
        {
          reason: 'KeptExternalResource',
          message: `schema ${JSON.stringify(name)} of database ${JSON.stringify(database)} is kept: ${kept}`,
        },
      ]);
    return {
      exists: true,
      steps: [{ kind: 'dropSchema', database, name, cascade: spec.dropPolicy === 'Always' }],
      unchangeable: [],
      atProvider: {},
    };
  }
}

async function reasonToKeep(
  spec: SchemaParameters,
  database: string,
  name: string,
  context: PlanContext,
): Promise<string | undefined> {
  if (name === 'public') return 'every database has it';
  if (spec.dropPolicy === 'Always') return undefined;
  if (spec.dropPolicy === 'Never') return 'dropPolicy is Never';
  if (wasAdopted(context)) return 'it was there before this resource; dropPolicy: Always drops it';
  const contents = await context.reader.read('schemaContents', { database, name });
  return contents.empty ? undefined : `it holds ${contents.summary}; dropPolicy: Always drops it`;
}

function refuseWithoutSchemas({ reader }: PlanContext): void {
  if (reader.server.engine === 'mysql' || reader.server.engine === 'mariadb')
    throw new ResourceError(
      'NotSupported',
      `${reader.server.product} has no schemas inside a database: use a Database`,
      { retryable: false },
    );
}
