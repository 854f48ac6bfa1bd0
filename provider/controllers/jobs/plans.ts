/** The Job of a resource, from what its work needs and what its configuration says of all Jobs. */
import type { KubeObject, Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { ObjectMeta } from '../../api/kind.ts';
import type { JobPlan } from '../../backup/job-spec.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { invalidSpec } from '../../common/errors.ts';
import { configKey, configKeyOf } from '../objects/indexes.ts';
import { nameOf } from '../objects/secret-names.ts';
import { controllerReference } from '../objects/secrets.ts';
import { jobName, labelsOf, NOTE, notesOf, type RunRole } from './names.ts';
import type { Layout, Work, WorkServices } from './work.ts';

interface RunFields {
  activeDeadlineSeconds?: number;
  backoffLimit?: number;
  resources?: ProviderConfig['spec']['jobs'] extends infer J
    ? NonNullable<J> extends { resources?: infer R }
      ? R
      : never
    : never;
  serviceAccountName?: string;
}

/** How long a finished Job of a run that happens once is kept when the configuration does not say. */
const TTL_SECONDS = 86_400;

/**
 * The configuration whose word counts: where one of the platform takes part, a tenant's own says nothing of a pod that gets
 * what is the platform's.
 */
function leading(work: Work): ProviderConfig | undefined {
  const configs = work.configs();
  return configs.find(({ kind }) => kind === 'ClusterProviderConfig') ?? configs[0];
}

export function jobPlan(resource: Managed, role: RunRole, layout: Layout, work: Work, services: WorkServices): JobPlan {
  const fields = resource.spec.forProvider as RunFields;
  const config = leading(work);
  const settings = config?.spec.jobs;
  if (fields.serviceAccountName !== undefined && config?.kind === 'ClusterProviderConfig')
    throw invalidSpec(
      `forProvider.serviceAccountName cannot be used: the Job runs beside the credentials of ${nameOf(config)}`,
    );
  const isRepeatable = role !== 'run' || resource.kind === 'Backup' || resource.kind === 'BackupSchedule';
  return {
    pod: {
      ...layout,
      engineImage: config?.spec.images?.engine,
      runnerImage: config?.spec.images?.runner ?? services.runnerImage,
      resources: fields.resources,
      serviceAccountName: fields.serviceAccountName ?? settings?.serviceAccountName,
      settings,
      labels: labelsOf(resource, role, config === undefined ? configKey(resource) : configKeyOf(config)),
      annotations: notesOf(resource),
    },
    activeDeadlineSeconds: fields.activeDeadlineSeconds ?? 86_400,
    // A restore or a copy that failed half-way is looked at by somebody before it is tried again.
    backoffLimit: isRepeatable ? (fields.backoffLimit ?? 2) : 0,
    ttlSecondsAfterFinished: settings?.ttlSecondsAfterFinished ?? TTL_SECONDS,
  };
}

/** The longest that a finished Job waits for somebody to look at it, in seconds. */
const HELD_SECONDS = 7 * 86_400;

/** The TTL of a Job begins when its outcome has been recorded: with the Job go its pods, and with them what they said. */
export function untilRecorded(job: KubeObject): KubeObject {
  const spec = job['spec'] as { ttlSecondsAfterFinished?: number };
  const keep = spec.ttlSecondsAfterFinished ?? TTL_SECONDS;
  const annotations = { ...job.metadata.annotations, [NOTE.keep]: String(keep) };
  return {
    ...job,
    metadata: { ...job.metadata, annotations },
    spec: { ...spec, ttlSecondsAfterFinished: Math.max(keep, HELD_SECONDS) },
  };
}

/** Name, namespace, and an owner where it can be one. */
export function metadataOf(
  resource: Managed,
  role: RunRole,
  namespace: string,
  definition: KindDefinition,
): ObjectMeta {
  return {
    namespace,
    name: jobName(resource, role),
    ...(namespace === resource.metadata.namespace
      ? { ownerReferences: [controllerReference(resource, definition)] }
      : {}),
  };
}

/** How many Jobs of the server of a resource may run at a time. */
export const turnsOf = (work: Work): number => leading(work)?.spec.jobs?.concurrency ?? 1;
