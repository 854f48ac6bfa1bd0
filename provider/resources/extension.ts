/** Extension: spec → steps. */
import { TRAITS } from '../api/engines.ts';
import { ExtensionKind, type Extension, type ExtensionParameters } from '../api/extension.ts';
import { ResourceError, waiting } from '../common/errors.ts';
import { defined, forCreation } from './creation.ts';
import { kept, nothingLeft } from './deletion.ts';
import type { ExtensionObserved } from './model/databases.ts';
import type { Reads } from './model/reads.ts';
import type { Step } from './model/steps.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';

const nameOf = (database: string, name: string): string =>
  `extension ${JSON.stringify(name)} of database ${JSON.stringify(database)}`;

const isInstalled = (observed: Reads['extension']['result']): observed is ExtensionObserved => 'version' in observed;

export class ExtensionPlanner implements Planner<Extension> {
  readonly kind = ExtensionKind;

  async plan(resource: Extension, context: PlanContext): Promise<Plan> {
    const { reader } = context;
    const { server } = reader;
    if (!TRAITS[server.engine].hasExtensions)
      throw new ResourceError('NotSupported', `${server.product} has no extensions`, { retryable: false });
    const spec = resource.spec.forProvider;
    const { database = '', extension: name } = spec;
    if ((await reader.read('database', { name: database })) === undefined)
      throw waiting(`database ${JSON.stringify(database)} (forProvider.database) does not exist yet`);
    const observed = await reader.read('extension', { database, name });
    const wanted = isInstalled(observed) ? spec : forCreation(resource);
    const installed = isInstalled(observed) ? observed : undefined;
    const plan = isInstalled(observed) ? change(spec, database, observed, context) : create(wanted, database, context);
    refuseUnavailable(wanted, installed?.version, observed.available);
    const { schema } = wanted;
    if (
      schema !== undefined &&
      installed?.schema !== schema &&
      (await reader.read('schema', { database, name: schema })) === undefined
    )
      throw waiting(`schema ${JSON.stringify(schema)} (forProvider.schema) does not exist yet`);
    return plan;
  }

  async planDelete(resource: Extension, context: PlanContext): Promise<Plan> {
    const { database = '', extension: name } = resource.spec.forProvider;
    const { reader } = context;
    if ((await reader.read('database', { name: database })) === undefined) return nothingLeft();
    const observed = await reader.read('extension', { database, name });
    if (!isInstalled(observed) || !isOursToDrop(observed.mark, context, true)) return nothingLeft();
    if (wasAdopted(context)) return kept(nameOf(database, name), 'it was there before this resource');
    return { exists: true, steps: [{ kind: 'dropExtension', database, name }], unchangeable: [], atProvider: {} };
  }
}

function create(spec: ExtensionParameters, database: string, context: PlanContext): Plan {
  const { extension: name, version, schema, cascade } = spec;
  const options = defined({ version, schema, cascade });
  const step: Step = { kind: 'createExtension', database, name, ...options, mark: context.mark };
  return { exists: false, steps: [step], unchangeable: [], applied: {}, atProvider: {} };
}

function change(spec: ExtensionParameters, database: string, observed: ExtensionObserved, context: PlanContext): Plan {
  const name = spec.extension;
  const ownership = ownershipOf(nameOf(database, name), observed.mark, spec.adopt, context);
  const steps: Step[] = [];
  if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'extension', database, name }, mark: context.mark });
  if (spec.version !== undefined && spec.version !== observed.version)
    steps.push({ kind: 'updateExtension', database, name, version: spec.version });
  const unchangeable: string[] = [];
  const { schema } = spec;
  if (schema !== undefined && schema !== observed.schema) {
    // What a trusted extension makes belongs to the superuser, whoever installs it.
    if (context.reader.server.admin.superUser) steps.push({ kind: 'moveExtension', database, name, schema });
    else
      unchangeable.push(
        `forProvider.schema is ${JSON.stringify(schema)} and the extension is in ${JSON.stringify(observed.schema)}, which only a superuser can change: delete this resource and create another`,
      );
  }
  return {
    exists: true,
    steps,
    unchangeable,
    applied: ownership.record,
    atProvider: { version: observed.version, schema: observed.schema },
  };
}

/** An installed version stays usable when the server no longer offers it. */
function refuseUnavailable(
  { extension, version }: ExtensionParameters,
  installed: string | undefined,
  available: readonly string[],
): void {
  if (installed !== undefined && (version === undefined || version === installed)) return;
  if (available.length === 0)
    throw new ResourceError(
      'ExtensionNotAvailable',
      `forProvider.extension: the server does not offer ${JSON.stringify(extension)}; install its package on the server or allow it there`,
    );
  if (version !== undefined && !available.includes(version))
    throw new ResourceError(
      'ExtensionNotAvailable',
      `forProvider.version: the server offers ${JSON.stringify(extension)} in ${inOrder(available).join(', ')}, not in ${version}`,
    );
}

/** 1.9 before 1.10. */
const inOrder = (versions: readonly string[]): string[] =>
  versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
