/** What a user reads: the status of the composite (and of its claim), and conditions in the words of the claim. */
import type { Condition, RunFunctionRequest } from '@crossplane-org/function-sdk-typescript';
import { z } from 'zod';
import { ENGINES } from '../provider/api/engines.ts';
import { backupStatus, backupStatusOf } from './backup-status.ts';
import { serverRef } from './claim.ts';
import { conditionsOf } from './conditions.ts';
import { lacksCredentials } from './connection.ts';
import type { Composed } from './expand/composed.ts';
import { failure, isReady, type Json, object, observedOf, text } from './observed.ts';
import type { Progress } from './progress.ts';
import type { Stage, Staged } from './stages.ts';
import type { World } from './world.ts';

/** The status as the XRDs have it. */
export const claimStatus = z.object({
  phase: z
    .enum(['Creating', 'Filling', 'Ready', 'Suspended', 'Failing', 'Expired'])
    .optional()
    .describe(
      'Creating until everything is there, Filling while the data of source comes, Ready when everything is there, Suspended when it is but nobody may log in, Failing when something cannot be done, Expired after its end.',
    ),
  engine: z.enum(ENGINES).optional().describe('Engine of the server.'),
  class: z.string().optional().describe('Class that was chosen.'),
  serverRef: serverRef.optional().describe('The server that holds the database.'),
  databaseName: z.string().optional().describe('Name of the database on the server.'),
  endpoint: z.string().optional().describe('Host and port of the server.'),
  secretNames: z.array(z.string()).optional().describe('Secrets of the roles, in the namespace of the claim.'),
  backup: backupStatus.optional().describe('What came of its backups.'),
  expiresAt: z.string().optional().describe('When it ends (RFC 3339).'),
  waitingFor: z.array(z.string()).optional().describe('What is not there yet and why; the first ten.'),
});

export type ClaimStatus = z.output<typeof claimStatus>;

const LISTED = 10;

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

function endpointOf(request: RunFunctionRequest, world: World, before: Json): string | undefined {
  for (const { name } of world.logins) {
    const details = observedOf(request, `role-login-${name}`)?.connectionDetails ?? {};
    const host = details['endpoint']?.toString();
    const port = details['port']?.toString();
    if (host) return port ? `${host.includes(':') ? `[${host}]` : host}:${port}` : host;
  }
  // A Secret that is briefly not there does not move the server.
  return text(before['endpoint']);
}

export interface Report {
  status: ClaimStatus;
  conditions: Condition[];
  stage: Stage;
  /** Keys of the composed resources that are ready. */
  ready: ReadonlySet<string>;
  /** Whether something is to come, so that looking again soon makes sense. */
  isWaiting: boolean;
}

function phaseOf(stage: Stage, open: readonly Progress[], isWaiting: boolean, world: World): ClaimStatus['phase'] {
  if (stage === 'Expired') return 'Expired';
  if (open.some((one) => one.failure !== undefined)) return 'Failing';
  if (stage === 'Filling') return 'Filling';
  if (isWaiting) return 'Creating';
  return world.spec.suspended === true ? 'Suspended' : 'Ready';
}

/**
 * Everything here depends on the request alone and holds no time, so that nothing changes while nothing happens.
 * @param before The status as it is.
 */
export function report(request: RunFunctionRequest, world: World, { stage, now, later }: Staged, before: Json): Report {
  const all = [...now].map(([key, resource]) => progressOf(request, key, resource));
  const open = all.filter(({ ready, failure: why }) => !ready || why !== undefined);
  const endpoint = endpointOf(request, world, before);
  const credentials =
    stage === 'Whole' && lacksCredentials(request, world)
      ? [`credentials of role ${world.connectionLogin?.name ?? ''}`]
      : [];
  const isWaiting = stage !== 'Expired' && open.length + credentials.length + later.length > 0;
  const backup = backupStatusOf(request, world);
  return {
    status: {
      phase: phaseOf(stage, open, isWaiting, world),
      engine: world.engine,
      ...(world.className === undefined ? {} : { class: world.className }),
      serverRef: { kind: world.server.kind, name: world.server.name },
      databaseName: world.database,
      ...(endpoint === undefined ? {} : { endpoint }),
      secretNames: stage === 'Expired' ? [] : world.logins.map(({ secretName }) => secretName),
      ...(backup === undefined ? {} : { backup }),
      ...(world.expiresAt === undefined ? {} : { expiresAt: world.expiresAt }),
      waitingFor:
        stage === 'Expired'
          ? []
          : [
              ...open.map(({ label, failure: why }) => (why === undefined ? label : `${label}: ${why}`)),
              ...credentials,
              ...(later.length === 0 ? [] : [`the data, before ${later.length} more resources`]),
            ].slice(0, LISTED),
    },
    conditions: conditionsOf(request, world, { stage, all, later }),
    stage,
    ready: new Set(all.filter(({ ready }) => ready).map(({ key }) => key)),
    isWaiting,
  };
}
