/** One call of the function: a request in, a response out, with no clock, no randomness and no memory. */
import {
  Ready,
  type Resource,
  type RunFunctionRequest,
  type RunFunctionResponse,
  Severity,
} from '@crossplane-org/function-sdk-typescript';
import { parseClaim } from './claim.ts';
import { connectionDetails, connectionSecret, lacksCredentials, SECRET_KEY } from './connection.ts';
import { ClaimError } from './errors.ts';
import { expand } from './expand/expand.ts';
import { parseInput } from './input.ts';
import { type Json, object, observedOf, text } from './observed.ts';
import { report } from './status.ts';
import { type World, worldOf } from './world.ts';

/** Nothing outside of Kubernetes is read, and what changes there is watched: to look again sooner would find nothing. */
const TTL_SECONDS = 300;
/**
 * Except while something is awaited: the coming of a Secret wakes nobody, and Crossplane stops listening for a while to a
 * composite whose resources change often, as those of a large one do when they are made.
 */
const WAITING_TTL_SECONDS = 10;

/** Where composed resources go, and after what they are named. */
function placeOf(composite: Json): { name: string; namespace: string; legacy: boolean } {
  const metadata = object(composite['metadata']);
  const claimRef = object(composite['spec'])['claimRef'];
  if (claimRef !== undefined) {
    const name = text(object(claimRef)['name']);
    const namespace = text(object(claimRef)['namespace']);
    if (name === undefined) throw new ClaimError('spec.claimRef.name', 'is required');
    if (namespace === undefined) throw new ClaimError('spec.claimRef.namespace', 'is required');
    return { name, namespace, legacy: true };
  }
  const name = text(metadata['name']);
  const namespace = text(metadata['namespace']);
  if (name === undefined) throw new ClaimError('metadata.name', 'is required');
  if (namespace === undefined)
    throw new ClaimError(
      'spec.claimRef',
      'is required of a composite without a namespace: make a claim, which says in what namespace its roles and Secrets go',
    );
  return { name, namespace, legacy: false };
}

/** A database is never left behind for another one because a field was changed where nothing had refused it. */
function refuseMove(request: RunFunctionRequest, world: World): void {
  const status = object(object(request.observed?.composite?.resource)['status']);
  const engine = text(status['engine']);
  if (engine !== undefined && engine !== world.engine)
    throw new ClaimError('spec.engine', `cannot be changed: the database is on ${engine}`);
  const database = observedOf(request, 'database')?.resource;
  const annotations = object(object(database?.['metadata'])['annotations']);
  const name = text(annotations['crossplane.io/external-name']) ?? text(status['databaseName']);
  if (name !== undefined && name !== world.database)
    throw new ClaimError('spec.databaseName', `cannot be changed: the database is ${JSON.stringify(name)}`);
  const server = object(object(database?.['spec'])['providerConfigRef'] ?? status['serverRef']);
  for (const field of ['kind', 'name'] as const) {
    const value = text(server[field]);
    if (value !== undefined && value !== world.server[field])
      throw new ClaimError(
        world.spec.class === undefined ? `spec.serverRef.${field}` : 'spec.class',
        `cannot be changed to ${JSON.stringify(world.server[field])}: the database is on ${JSON.stringify(value)}`,
      );
  }
}

/** As it will be read on the other side: no undefined, no value that JSON has not. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

function desiredComposite(request: RunFunctionRequest, world: World, status: object): Resource {
  const before = request.desired?.composite;
  const resource = object(before?.resource);
  const { apiVersion, kind } = object(request.observed?.composite?.resource);
  return {
    resource: plain({ apiVersion, kind, ...resource, status: { ...object(resource['status']), ...status } }),
    connectionDetails: {
      ...before?.connectionDetails,
      ...(world.legacy ? connectionDetails(request, world) : {}),
    },
    // Else Crossplane makes it from the composed resources.
    ready: lacksCredentials(request, world) ? Ready.READY_FALSE : (before?.ready ?? Ready.READY_UNSPECIFIED),
  };
}

const answer = (request: RunFunctionRequest): RunFunctionResponse => ({
  meta: { tag: request.meta?.tag ?? '', ttl: { seconds: TTL_SECONDS, nanos: 0 } },
  desired: request.desired,
  results: [],
  context: request.context,
  requirements: undefined,
  conditions: [],
});

function run(request: RunFunctionRequest): RunFunctionResponse {
  const composite = object(request.observed?.composite?.resource);
  if (Object.keys(composite).length === 0) throw new ClaimError('observed.composite', 'is not in the request');
  const place = placeOf(composite);
  const spec = parseClaim(object(composite['spec']), place.legacy);
  const world = worldOf(place, spec, parseInput(request.input));
  refuseMove(request, world);
  const composed = expand(world);
  const { status, conditions, ready } = report(request, world, composed);

  const resources: Record<string, Resource> = { ...request.desired?.resources };
  const add = (key: string, resource: unknown, isReady: boolean): void => {
    if (Object.hasOwn(resources, key))
      throw new ClaimError(
        `desired.resources[${JSON.stringify(key)}]`,
        'is already wanted by an earlier step of the pipeline',
      );
    resources[key] = {
      resource: plain(resource),
      connectionDetails: {},
      ready: isReady ? Ready.READY_TRUE : Ready.READY_FALSE,
    };
  };
  for (const [key, resource] of composed) add(key, resource, ready.has(key));
  const secret = connectionSecret(request, world);
  if (secret !== undefined) add(SECRET_KEY, secret, true);
  const isWaiting = ready.size < composed.size || lacksCredentials(request, world);
  const seconds = isWaiting ? WAITING_TTL_SECONDS : TTL_SECONDS;
  return {
    ...answer(request),
    meta: { tag: request.meta?.tag ?? '', ttl: { seconds, nanos: 0 } },
    desired: { composite: desiredComposite(request, world, status), resources },
    conditions,
  };
}

/**
 * Never throws. Whatever is in doubt gives one FATAL result that names the field, the earlier steps' desired state as it
 * was, and nothing else.
 */
export function compose(request: RunFunctionRequest): RunFunctionResponse {
  try {
    return run(request);
  } catch (error) {
    const message = error instanceof ClaimError ? error.message : `internal error: ${String(error)}`;
    return { ...answer(request), results: [{ severity: Severity.SEVERITY_FATAL, message }] };
  }
}
