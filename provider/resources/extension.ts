/** Extension: spec → steps. */
import { ExtensionKind, type Extension, type ExtensionParameters } from '../api/extension.ts';
import { ResourceError, waiting } from './errors.ts';
import type { ExtensionObserved, Step } from './model.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';

const nothing = (notes: Plan['notes'] = []): Plan => ({
  exists: false,
  steps: [],
  unchangeable: [],
  atProvider: {},
  notes,
});

export class ExtensionPlanner implements Planner<Extension> {
  readonly kind = ExtensionKind;

  async plan(resource: Extension, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader } = context;
    if (reader.server.engine !== 'postgres')
      throw new ResourceError('NotSupported', `${reader.server.product} has no extensions`, { retryable: false });
    const database = spec.database ?? '';
    if ((await reader.read('database', { name: database })) === undefined)
      throw waiting(`database ${JSON.stringify(database)} does not exist yet`);
    const observed = await reader.read('extension', { database, name: spec.extension });
    refuseUnavailable(spec, observed.available);
    if (
      spec.schema !== undefined &&
      !('version' in observed && observed.schema === spec.schema) &&
      (await reader.read('schema', { database, name: spec.schema })) === undefined
    )
      throw waiting(`schema ${JSON.stringify(spec.schema)} of database ${JSON.stringify(database)} does not exist yet`);
    return 'version' in observed ? change(spec, database, observed, context) : create(spec, database, context);
  }

  async planDelete(resource: Extension, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const database = spec.database ?? '';
    if ((await context.reader.read('database', { name: database })) === undefined) return nothing();
    const observed = await context.reader.read('extension', { database, name: spec.extension });
    if (!('version' in observed) || !isOursToDrop(observed.mark, context)) return nothing();
    if (wasAdopted(context))
      return nothing([
        {
          reason: 'KeptExternalResource',
          message: `extension ${JSON.stringify(spec.extension)} is kept: it was there before this resource`,
        },
      ]);
    return {
      exists: true,
      steps: [{ kind: 'dropExtension', database, name: spec.extension }],
      unchangeable: [],
      atProvider: {},
    };
  }
}

function create(spec: ExtensionParameters, database: string, context: PlanContext): Plan {
  const { version, schema, cascade } = spec;
  const step: Step = {
    kind: 'createExtension',
    database,
    name: spec.extension,
    ...(version === undefined ? {} : { version }),
    ...(schema === undefined ? {} : { schema }),
    ...(cascade === undefined ? {} : { cascade }),
    mark: context.mark,
  };
  return { exists: false, steps: [step], unchangeable: [], applied: {}, atProvider: {} };
}

function change(spec: ExtensionParameters, database: string, observed: ExtensionObserved, context: PlanContext): Plan {
  const name = spec.extension;
  const ownership = ownershipOf(
    `extension ${JSON.stringify(name)} of database ${JSON.stringify(database)}`,
    observed.mark,
    spec.adopt,
    context,
  );
  const steps: Step[] = [];
  if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'extension', database, name }, mark: context.mark });
  if (spec.version !== undefined && spec.version !== observed.version)
    steps.push({ kind: 'updateExtension', database, name, version: spec.version });
  if (spec.schema !== undefined && spec.schema !== observed.schema)
    steps.push({ kind: 'moveExtension', database, name, schema: spec.schema });
  return {
    exists: true,
    steps,
    unchangeable: [],
    applied: ownership.adopted ? { adopted: true } : {},
    atProvider: { version: observed.version, schema: observed.schema },
  };
}

function refuseUnavailable({ extension, version }: ExtensionParameters, available: readonly string[]): void {
  if (available.length === 0)
    throw new ResourceError(
      'ExtensionNotAvailable',
      `forProvider.extension: the server does not offer ${JSON.stringify(extension)}; install its package on the server or allow it there`,
    );
  if (version !== undefined && !available.includes(version))
    throw new ResourceError(
      'ExtensionNotAvailable',
      `forProvider.version: the server offers ${JSON.stringify(extension)} in ${available.join(', ')}, not in ${version}`,
    );
}
