/** What a user reads: the status of the composite (and of its claim), and conditions in the words of the claim. */
import { type Condition, type RunFunctionRequest, Status, Target } from '@crossplane-org/function-sdk-typescript';
import { z } from 'zod';
import { ENGINES, serverRef } from './claim.ts';
import { lacksCredentials } from './connection.ts';
import type { Composed, ComposedKind } from './expand/composed.ts';
import { failure, isReady, object, observedOf, text } from './observed.ts';
import type { World } from './world.ts';

/** The status as the XRDs have it. */
export const claimStatus = z.object({
  phase: z
    .enum(['Creating', 'Ready', 'Failing'])
    .optional()
    .describe('Creating until everything is there, Ready when it is, Failing when something cannot be done.'),
  engine: z.enum(ENGINES).optional().describe('Engine of the server.'),
  serverRef: serverRef.optional().describe('The server that holds the database.'),
  databaseName: z.string().optional().describe('Name of the database on the server.'),
  endpoint: z.string().optional().describe('Host and port of the server.'),
  secretNames: z.array(z.string()).optional().describe('Secrets of the roles, in the namespace of the claim.'),
  waitingFor: z.array(z.string()).optional().describe('What is not there yet and why; the first ten.'),
});

export type ClaimStatus = z.output<typeof claimStatus>;

const LISTED = 10;

const GROUPS: readonly { type: string; kinds: readonly ComposedKind[]; what: string }[] = [
  { type: 'DatabaseReady', kinds: ['Database', 'Schema', 'Extension'], what: 'The database' },
  { type: 'RolesReady', kinds: ['Role'], what: 'Roles' },
  { type: 'GrantsReady', kinds: ['Grant', 'DefaultPrivileges'], what: 'Privileges' },
];

interface Progress {
  key: string;
  kind: ComposedKind;
  /** The resource as a user may look it up. */
  label: string;
  ready: boolean;
  failure: string | undefined;
}

function progressOf(request: RunFunctionRequest, key: string, resource: Composed): Progress {
  const observed = observedOf(request, key);
  const name = text(object(observed?.resource['metadata'])['name']);
  return {
    key,
    kind: resource.kind,
    label: name === undefined ? `${resource.kind} (${key})` : `${resource.kind} ${name} (${key})`,
    ready: isReady(observed),
    failure: failure(observed),
  };
}

function conditionOf(group: (typeof GROUPS)[number], all: readonly Progress[]): Condition {
  const own = all.filter(({ kind }) => group.kinds.includes(kind));
  const failing = own.find((one) => one.failure !== undefined);
  const waiting = own.filter(({ ready }) => !ready);
  const base = { type: group.type, target: Target.TARGET_COMPOSITE_AND_CLAIM };
  if (failing !== undefined) {
    const more = own.filter((one) => one.failure !== undefined).length - 1;
    const message = `${failing.label}: ${failing.failure ?? ''}${more > 0 ? ` (and ${more} more)` : ''}`;
    return { ...base, status: Status.STATUS_CONDITION_FALSE, reason: 'Failing', message };
  }
  const [first] = waiting;
  if (first !== undefined) {
    const more = waiting.length - 1;
    const message = `waiting for ${first.label}${more > 0 ? ` and ${more} more` : ''}`;
    return { ...base, status: Status.STATUS_CONDITION_FALSE, reason: 'Creating', message };
  }
  return { ...base, status: Status.STATUS_CONDITION_TRUE, reason: 'Available', message: `${group.what}: all in place` };
}

function endpointOf(request: RunFunctionRequest, world: World): string | undefined {
  for (const { name } of world.logins) {
    const details = observedOf(request, `role-login-${name}`)?.connectionDetails ?? {};
    const host = details['endpoint']?.toString();
    const port = details['port']?.toString();
    if (host) return port ? `${host.includes(':') ? `[${host}]` : host}:${port}` : host;
  }
  // A Secret that is briefly not there does not move the server.
  return text(object(object(request.observed?.composite?.resource)['status'])['endpoint']);
}

export interface Report {
  status: ClaimStatus;
  conditions: Condition[];
  /** Keys of the composed resources that are ready. */
  ready: ReadonlySet<string>;
}

/** Everything here depends on the request alone and holds no time, so that nothing changes while nothing happens. */
export function report(request: RunFunctionRequest, world: World, composed: ReadonlyMap<string, Composed>): Report {
  const all = [...composed].map(([key, resource]) => progressOf(request, key, resource));
  const open = all.filter(({ ready, failure: why }) => !ready || why !== undefined);
  const endpoint = endpointOf(request, world);
  const credentials = lacksCredentials(request, world)
    ? [`credentials of role ${world.connectionLogin?.name ?? ''}`]
    : [];
  const phase =
    open.length + credentials.length === 0
      ? 'Ready'
      : open.some((one) => one.failure !== undefined)
        ? 'Failing'
        : 'Creating';
  return {
    status: {
      phase,
      engine: world.engine,
      serverRef: { kind: world.server.kind, name: world.server.name },
      databaseName: world.database,
      ...(endpoint === undefined ? {} : { endpoint }),
      secretNames: world.logins.map(({ secretName }) => secretName),
      waitingFor: [
        ...open.map(({ label, failure: why }) => (why === undefined ? label : `${label}: ${why}`)),
        ...credentials,
      ].slice(0, LISTED),
    },
    conditions: GROUPS.map((group) => conditionOf(group, all)),
    ready: new Set(all.filter(({ ready }) => ready).map(({ key }) => key)),
  };
}
