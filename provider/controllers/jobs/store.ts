/** Jobs, CronJobs and the Secrets of runs in the API. A right that is missing is an error that names the rule. */
import type { KubeObject, Managed } from '../../api/kind.ts';
import { ResourceError } from '../../common/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import { isAlreadyExists, isMissingRight, isNotFound } from '../../runtime/kube/errors.ts';
import { Reflector } from '../../runtime/kube/reflector.ts';
import { EVENTS, keyOf, NAMESPACES, type Resource, SECRETS } from '../../runtime/kube/resource.ts';
import type { Log } from '../../runtime/log.ts';
import { LABEL, NOTE, RUN_FINALIZER } from './names.ts';
import { permitted } from '../objects/permitted.ts';

export const JOBS: Resource = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true };
export const CRON_JOBS: Resource = {
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  namespaced: true,
};
const PODS: Resource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

export interface JobCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface Job extends KubeObject {
  spec: { suspend?: boolean; activeDeadlineSeconds?: number };
  status?: { startTime?: string; completionTime?: string; conditions?: JobCondition[] };
}

export interface CronJob extends KubeObject {
  spec: Record<string, unknown> & { suspend?: boolean };
  status?: { lastScheduleTime?: string; lastSuccessfulTime?: string };
}

export interface ContainerStatus {
  name: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string; message?: string; finishedAt?: string };
  };
}

export interface Pod extends KubeObject {
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: JobCondition[];
    containerStatuses?: ContainerStatus[];
  };
}

interface Complaint extends KubeObject {
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
  eventTime?: string | null;
}

const timeOf = ({ lastTimestamp, eventTime, metadata }: Complaint): string =>
  lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';

const SELECTOR = `${LABEL.managedBy}=xdatabase`;

export interface JobStoreOptions {
  log: Log;
  clock: Clock;
  /** Where Jobs of a ClusterProviderConfig run. */
  providerNamespace: string;
}

/** Whoever may make Jobs in a namespace can give them any label: elsewhere than here they are nobody's. */
export class JobStore {
  readonly #client: KubeClient;
  readonly #providerNamespace: string;
  readonly jobs: Reflector<Job>;
  readonly cronJobs: Reflector<CronJob>;
  /** Jobs that are about to begin: until when each has the turn of its server. */
  readonly #starting = new Map<string, { server: string; until: number }>();
  readonly #clock: Clock;

  constructor(client: KubeClient, { log, clock, providerNamespace }: JobStoreOptions) {
    this.#client = client;
    this.#providerNamespace = providerNamespace;
    this.#clock = clock;
    const indexers = {
      owner: (object: KubeObject): string[] => [object.metadata.labels?.[LABEL.owner] ?? ''],
      server: (object: KubeObject): string[] => [object.metadata.labels?.[LABEL.server] ?? ''],
    };
    this.jobs = new Reflector<Job>(client, JOBS, { log, clock, labelSelector: SELECTOR, indexers });
    this.cronJobs = new Reflector<CronJob>(client, CRON_JOBS, { log, clock, labelSelector: SELECTOR, indexers });
  }

  run(signal: AbortSignal): void {
    for (const reflector of [this.jobs, this.cronJobs]) void reflector.run(signal);
  }

  /** Nothing is decided before the caches are complete. Throws ResourceError when they cannot be. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.jobs.isSynced && this.cronJobs.isSynced) return;
    for (const resource of [JOBS, CRON_JOBS])
      await permitted('list', resource, undefined, async () => {
        await this.#client.list(resource, { limit: 1, labelSelector: SELECTOR, signal });
      });
    throw new ResourceError('Waiting', 'Jobs and CronJobs have not been read yet');
  }

  job(ref: { namespace: string; name: string }): Job | undefined {
    return this.jobs.store.get(keyOf(ref));
  }

  /** Those in the namespace of the resource, and in that of the provider. */
  jobsOf(resource: Managed): Job[] {
    return this.jobs.store.byIndex('owner', resource.metadata.uid ?? '').filter(this.#isIn(resource));
  }

  jobsOfServer(label: string): Job[] {
    return this.jobs.store.byIndex('server', label);
  }

  cronJob(ref: { namespace: string; name: string }): CronJob | undefined {
    return this.cronJobs.store.get(keyOf(ref));
  }

  cronJobsOf(resource: Managed): CronJob[] {
    return this.cronJobs.store.byIndex('owner', resource.metadata.uid ?? '').filter(this.#isIn(resource));
  }

  readonly #isIn =
    (near: KubeObject) =>
    ({ metadata: { namespace } }: KubeObject): boolean =>
      namespace === near.metadata.namespace || namespace === this.#providerNamespace;

  /** Gives the Job of that name, which may be there already: it is the same run's. */
  async createJob(job: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      const created = await permitted(
        'create',
        JOBS,
        job.metadata.namespace,
        async () => await this.#client.create(JOBS, job, { signal }),
      );
      this.jobs.store.put(created as Job);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const { namespace, name } = job.metadata;
      const existing = await this.#client.get<Job>(JOBS, { namespace, name }, { signal });
      if (existing.metadata.labels?.[LABEL.owner] !== job.metadata.labels?.[LABEL.owner])
        throw new ResourceError('AlreadyExists', `there is a Job ${namespace}/${name} that is not of this resource`);
      this.jobs.store.put(existing);
    }
  }

  async applyCronJob(cronJob: KubeObject, signal: AbortSignal): Promise<void> {
    const stored = await permitted(
      'patch',
      CRON_JOBS,
      cronJob.metadata.namespace,
      async () => await this.#client.apply(CRON_JOBS, cronJob, { signal }),
    );
    this.cronJobs.store.put(stored as CronJob);
  }

  /** Lets a prepared Job begin; from now on it stays until its outcome is recorded. */
  async release(job: Job, signal: AbortSignal): Promise<void> {
    await this.#patchJob(
      job,
      {
        metadata: { resourceVersion: job.metadata.resourceVersion, finalizers: withFinalizer(job) },
        spec: { suspend: false },
      },
      signal,
    );
  }

  async annotate(job: Job, annotations: Record<string, string>, signal: AbortSignal): Promise<void> {
    await this.#patchJob(job, { metadata: { annotations } }, signal);
  }

  /** Lets the Job go, or stay for as long as its TTL says. */
  async letGo(job: Job, signal: AbortSignal): Promise<void> {
    const finalizers = (job.metadata.finalizers ?? []).filter((name) => name !== RUN_FINALIZER);
    const keep = job.metadata.annotations?.[NOTE.keep];
    const metadata = { resourceVersion: job.metadata.resourceVersion, finalizers };
    const patch = { metadata, ...(keep === undefined ? {} : { spec: { ttlSecondsAfterFinished: Number(keep) } }) };
    try {
      await this.#patchJob(job, patch, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Ends the pods first: the object is gone when nothing of it runs any more. */
  async remove(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = object.metadata;
    try {
      await permitted('delete', resource, namespace, async () => {
        await this.#client.delete(resource, { namespace, name }, { uid, propagationPolicy: 'Foreground', signal });
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** A Secret of one run, owned by its Job; what a run before left under that name is gone first. */
  async replaceSecret(
    job: Job,
    name: string,
    files: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace } = job.metadata;
    await this.removeSecret(namespace, name, signal);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        namespace: namespace ?? '',
        name,
        labels: { [LABEL.managedBy]: 'xdatabase', [LABEL.owner]: job.metadata.labels?.[LABEL.owner] ?? '' },
        ownerReferences: [
          {
            apiVersion: 'batch/v1',
            kind: 'Job',
            name: job.metadata.name,
            uid: job.metadata.uid ?? '',
            controller: true,
          },
        ],
      },
      type: 'Opaque',
      data: Object.fromEntries(
        Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')]),
      ),
    };
    await permitted('create', SECRETS, namespace, async () => await this.#client.create(SECRETS, secret, { signal }));
  }

  async removeSecret(namespace: string | undefined, name: string, signal: AbortSignal): Promise<void> {
    try {
      await permitted('delete', SECRETS, namespace, async () => {
        await this.#client.delete(SECRETS, { namespace, name }, { signal });
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /**
   * The last thing that somebody complained of about an object; nothing where the right to look is missing.
   * @param reason Only complaints with that reason.
   */
  async warning(
    { metadata: { namespace, uid } }: KubeObject,
    reason: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const which = reason === undefined ? '' : `,reason=${reason}`;
      const fieldSelector = `involvedObject.uid=${uid},type=Warning${which}`;
      const events = await this.#client.listAll<Complaint>(EVENTS, { namespace, fieldSelector, signal });
      const last = events.toSorted((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1))[0];
      return last === undefined ? undefined : `${last.reason ?? ''}, ${last.message ?? ''}`;
    } catch (error) {
      if (isMissingRight(error)) return undefined;
      throw error;
    }
  }

  /** Whether the namespace is being deleted; false where the right to look is missing. */
  async isTerminating(namespace: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (
        (await this.#client.get(NAMESPACES, { name: namespace }, { signal })).metadata.deletionTimestamp !== undefined
      );
    } catch (error) {
      if (isMissingRight(error)) return false;
      throw error;
    }
  }

  async pods(job: Job, signal: AbortSignal): Promise<Pod[]> {
    const labelSelector = `batch.kubernetes.io/controller-uid=${job.metadata.uid}`;
    const { namespace } = job.metadata;
    return await permitted(
      'list',
      PODS,
      namespace,
      async () => await this.#client.listAll<Pod>(PODS, { namespace, labelSelector, signal }),
    );
  }

  /** Whether the Job may begin: at most `limit` of a server run at a time. Who is told so has the turn until `endTurn`. */
  takeTurn(job: Job, limit: number): boolean {
    const server = job.metadata.labels?.[LABEL.server] ?? '';
    const uid = job.metadata.uid ?? '';
    const now = this.#clock.monotonic();
    for (const [other, { until }] of this.#starting) if (until < now) this.#starting.delete(other);
    const starting = [...this.#starting].filter(([, turn]) => turn.server === server).map(([other]) => other);
    const running = this.jobsOfServer(server).filter(this.#isIn(job)).filter(isRunning);
    const busy = new Set([...starting, ...running.map(uidOf)]);
    busy.delete(uid);
    if (busy.size >= limit) return false;
    this.#starting.set(uid, { server, until: now + TURN_MS });
    return true;
  }

  endTurn(job: Job): void {
    this.#starting.delete(uidOf(job));
  }

  async #patchJob(job: Job, patch: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    const { namespace, name } = job.metadata;
    const stored = await permitted(
      'patch',
      JOBS,
      namespace,
      async () => await this.#client.mergePatch<Job>(JOBS, { namespace, name }, patch, { signal }),
    );
    this.jobs.store.put(stored);
  }
}

const uidOf = (job: Job): string => job.metadata.uid ?? '';

/** Longer than one reconcile may take: who has not begun by then has lost the turn. */
const TURN_MS = 120_000;

const withFinalizer = (job: Job): string[] => [...new Set([...(job.metadata.finalizers ?? []), RUN_FINALIZER])];

export const isHeld = (job: Job): boolean => job.metadata.finalizers?.includes(RUN_FINALIZER) === true;

/** Let go by us: nothing of it ran before. */
export const isReleased = (job: Job): boolean => job.spec.suspend !== true;

export const endOf = (job: Job): JobCondition | undefined =>
  job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True');

export const isRunning = (job: Job): boolean =>
  isReleased(job) && endOf(job) === undefined && job.metadata.deletionTimestamp === undefined;
