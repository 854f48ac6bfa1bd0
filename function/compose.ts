/** One call of the function: a request in, a response out, with no clock, no randomness and no memory. */
import {
  Ready,
  type Resource,
  type RunFunctionRequest,
  type RunFunctionResponse,
} from '@crossplane-org/function-sdk-typescript';
import type { ClaimSpec } from './claim.ts';
import { connectionDetails, connectionSecret, lacksCredentials, SECRET_KEY } from './connection.ts';
import { ClaimError } from './errors.ts';
import { expand } from './expand/expand.ts';
import { gather, setAt, valueAt, withOwnNames } from './field-paths.ts';
import { type Input, parseInput } from './input.ts';
import { type Json, object, observedOf, text } from './observed.ts';
import { parseClaim, withoutMachinery } from './parse-claim.ts';
import { refusal } from './refusal.ts';
import { staged } from './stages.ts';
import { type Report, report } from './status.ts';
import { type Place, type World, worldOf } from './world.ts';

/** Nothing outside of Kubernetes is read, and what changes there is watched: to look again sooner would find nothing. */
const TTL_SECONDS = 300;
/**
 * Except while something is awaited: the coming of a Secret wakes nobody, and Crossplane stops listening for a while to a
 * composite whose resources change often, as those of a large one do when they are made.
 */
const WAITING_TTL_SECONDS = 10;

/** Where composed resources go, and after what they are named. */
function placeOf(composite: Json): Place {
  const metadata = object(composite['metadata']);
  const claimRef = object(composite['spec'])['claimRef'];
  const createdAt = text(metadata['creationTimestamp']);
  if (claimRef !== undefined) {
    const name = text(object(claimRef)['name']);
    const namespace = text(object(claimRef)['namespace']);
    if (name === undefined) throw new ClaimError('spec.claimRef.name', 'is required');
    if (namespace === undefined) throw new ClaimError('spec.claimRef.namespace', 'is required');
    return { name, namespace, legacy: true, createdAt };
  }
  const name = text(metadata['name']);
  const namespace = text(metadata['namespace']);
  if (name === undefined) throw new ClaimError('metadata.name', 'is required');
  if (namespace === undefined)
    throw new ClaimError(
      'spec.claimRef',
      'is required of a composite without a namespace: make a claim, which says in what namespace its roles and Secrets go',
    );
  return { name, namespace, legacy: false, createdAt };
}

/** A database is never left behind for another one because a field was changed where nothing had refused it. */
function refuseMove(request: RunFunctionRequest, world: World, status: Json): void {
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
        world.className === undefined ? `spec.serverRef.${field}` : 'spec.class',
        `cannot be changed to ${JSON.stringify(world.server[field])}: the database is on ${JSON.stringify(value)}`,
      );
  }
}

/** As it will be read on the other side: no undefined, no value that JSON has not. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

function desiredComposite(
  request: RunFunctionRequest,
  world: World,
  { status, stage }: Report,
  path: string,
): Resource {
  const before = request.desired?.composite;
  const { apiVersion, kind } = object(request.observed?.composite?.resource);
  const resource: Json = { apiVersion, kind, ...object(before?.resource) };
  setAt(resource, path, { ...object(valueAt(resource, path)), ...status });
  return {
    resource: plain(resource),
    connectionDetails: {
      ...before?.connectionDetails,
      ...(world.legacy ? connectionDetails(request, world) : {}),
    },
    // Else Crossplane makes it from the composed resources.
    ready:
      stage === 'Filling' || stage === 'Expired' || lacksCredentials(request, world)
        ? Ready.READY_FALSE
        : (before?.ready ?? Ready.READY_UNSPECIFIED),
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

/** The claim as the composite has it, in fields of its own kind or in those of the platform. */
function specOf(composite: Json, { fieldPaths }: Input, legacy: boolean): ClaimSpec {
  return parseClaim(
    fieldPaths === undefined
      ? withoutMachinery(object(composite['spec']), legacy)
      : withoutMachinery(gather(composite, fieldPaths), legacy),
  );
}

function run(request: RunFunctionRequest): RunFunctionResponse {
  const composite = object(request.observed?.composite?.resource);
  if (Object.keys(composite).length === 0) throw new ClaimError('observed.composite', 'is not in the request');
  const input = parseInput(request.input);
  const place = placeOf(composite);
  return withOwnNames(input.fieldPaths, () => {
    const world = worldOf(place, specOf(composite, input, place.legacy), input);
    const before = object(valueAt(composite, input.statusPath));
    refuseMove(request, world, before);
    return respond(request, world, { path: input.statusPath, before });
  });
}

function respond(
  request: RunFunctionRequest,
  world: World,
  status: { path: string; before: Json },
): RunFunctionResponse {
  const stages = staged(request, world, expand(world));
  const summary = report(request, world, stages, status.before);
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
  for (const [key, resource] of stages.now) add(key, resource, summary.ready.has(key));
  const secret = connectionSecret(request, world);
  if (secret !== undefined && stages.stage !== 'Expired') add(SECRET_KEY, secret, true);
  const seconds = summary.isWaiting ? WAITING_TTL_SECONDS : TTL_SECONDS;
  return {
    ...answer(request),
    meta: { tag: request.meta?.tag ?? '', ttl: { seconds, nanos: 0 } },
    desired: { composite: desiredComposite(request, world, summary, status.path), resources },
    conditions: summary.conditions,
  };
}

/**
 * Never throws. Whatever is in doubt gives a FATAL result that names the field, which the claim is told too, and the
 * earlier steps' desired state as it was.
 */
export function compose(request: RunFunctionRequest): RunFunctionResponse {
  try {
    return run(request);
  } catch (error) {
    const message = error instanceof ClaimError ? error.message : `internal error: ${String(error)}`;
    return { ...answer(request), ...refusal(request, message) };
  }
}
