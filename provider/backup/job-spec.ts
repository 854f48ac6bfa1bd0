/**
 * The pods of backup, restore and copy jobs: one container with the engine's own tool (two for a copy) beside the runner.
 * Pure: the same input gives the same object, so that a CronJob is written only when something has changed.
 */
import type { JobSettings, Resources } from '../api/jobs.ts';
import type { KubeObject, ObjectMeta } from '../api/kind.ts';
import { RUN_FLAGS } from '../common/node-flags.ts';
import type { ToolContainer } from './tools/tool.ts';

/** Where things are in the containers. */
export const FOLDERS = {
  /** Shared by all containers: each tool has a folder of its own in it, by which it meets the runner. */
  work: '/xdatabase/work',
  /** Each container's own Secret, and nobody else's. */
  secrets: '/xdatabase/secrets',
} as const;

/** Name of the runner's container, and of the file with its request in its Secret. */
export const RUNNER = 'runner';
export const REQUEST_FILE = 'request.json';

/**
 * What the runner is started with; a command of a pod replaces that of its image, flags and all. The C library would keep
 * memory for each thread that ever compressed something.
 */
export const RUNNER_PROCESS = {
  flags: RUN_FLAGS,
  env: { NODE_ENV: 'production', MALLOC_ARENA_MAX: '2' },
} as const;

/** Where a tool and the runner meet. */
export const workFolder = (tool: string): string => `${FOLDERS.work}/${tool}`;

/** What the pods of one kind of run are made of. None of it changes from run to run, and none of it is secret. */
export interface PodPlan {
  /** By the name of the container; empty for runs that only touch the storage. */
  tools: Readonly<Record<string, Pick<ToolContainer, 'image' | 'command' | 'env'>>>;
  /** Volume of a storage that is a folder. */
  volume?: { claimName: string; path: string };
  engineImage: string | undefined;
  runnerImage: string;
  resources: Resources | undefined;
  serviceAccountName: string | undefined;
  settings: JobSettings | undefined;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
}

/** One Job. Deadline and time to live are those of Kubernetes, in seconds. */
export interface JobPlan {
  pod: PodPlan;
  activeDeadlineSeconds: number;
  backoffLimit: number;
  ttlSecondsAfterFinished: number | undefined;
}

/** Nobody that an image or a node knows. */
const USER = 65_532;

const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: USER,
  runAsGroup: USER,
  fsGroup: USER,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  privileged: false,
  capabilities: { drop: ['ALL'] },
};

/** What a container is promised when nobody says; no limit, as what a dump takes depends on the database. */
const DEFAULT_RESOURCES: Resources = { requests: { cpu: '50m', memory: '128Mi' } };

/** Name of the Secret of one container of a Job. */
export const secretNameOf = (job: string, container: string): string => `${job}-${container}`;

type Json = Record<string, unknown>;

const envOf = (env: Readonly<Record<string, string>>): Json[] =>
  Object.entries(env)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value }));

function container(name: string, image: string, plan: PodPlan, more: Json, mounts: Json[] = []): Json {
  return {
    name,
    image,
    ...more,
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    resources: plan.resources ?? plan.settings?.resources ?? DEFAULT_RESOURCES,
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'work', mountPath: FOLDERS.work },
      { name: `tmp-${name}`, mountPath: '/tmp' },
      { name: `secrets-${name}`, mountPath: FOLDERS.secrets, readOnly: true },
      ...mounts,
    ],
  };
}

/** @param job Name of the Job, or of the CronJob whose Jobs run one at a time: their Secrets have its name. */
function podTemplate(job: string, plan: PodPlan): Json {
  const tools = Object.entries(plan.tools);
  const names = [RUNNER, ...tools.map(([name]) => name)];
  const { settings, volume } = plan;
  const runner = container(
    RUNNER,
    plan.runnerImage,
    plan,
    {
      command: ['node', ...RUNNER_PROCESS.flags, '/app/runner.js', '--request', `${FOLDERS.secrets}/${REQUEST_FILE}`],
      // Writes nowhere but here, whatever a library takes for a home.
      env: envOf({ HOME: '/tmp', ...RUNNER_PROCESS.env }),
    },
    volume === undefined ? [] : [{ name: 'storage', mountPath: volume.path }],
  );
  return {
    metadata: {
      labels: { ...settings?.podLabels, ...plan.labels },
      annotations: { ...settings?.podAnnotations, ...plan.annotations },
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 30,
      securityContext: POD_SECURITY,
      ...(plan.serviceAccountName === undefined ? {} : { serviceAccountName: plan.serviceAccountName }),
      ...(settings?.nodeSelector === undefined ? {} : { nodeSelector: settings.nodeSelector }),
      ...(settings?.tolerations === undefined ? {} : { tolerations: settings.tolerations }),
      ...(settings?.imagePullSecrets === undefined ? {} : { imagePullSecrets: settings.imagePullSecrets }),
      containers: [
        runner,
        ...tools.map(([name, tool]) =>
          container(name, plan.engineImage ?? tool.image, plan, {
            command: tool.command,
            env: envOf({ HOME: '/tmp', ...tool.env }),
          }),
        ),
      ],
      volumes: [
        { name: 'work', emptyDir: {} },
        ...names.map((name) => ({ name: `tmp-${name}`, emptyDir: {} })),
        ...names.map((name) => ({
          name: `secrets-${name}`,
          secret: { secretName: secretNameOf(job, name), defaultMode: 0o440 },
        })),
        ...(volume === undefined ? [] : [{ name: 'storage', persistentVolumeClaim: { claimName: volume.claimName } }]),
      ],
    },
  };
}

/** Suspended: the provider lets a Job begin when the server is prepared for it and its turn has come. */
const jobSpec = (job: string, plan: JobPlan): Json => ({
  suspend: true,
  parallelism: 1,
  completions: 1,
  backoffLimit: plan.backoffLimit,
  activeDeadlineSeconds: plan.activeDeadlineSeconds,
  ...(plan.ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished: plan.ttlSecondsAfterFinished }),
  template: podTemplate(job, plan.pod),
});

/** `metadata` with a namespace, a name, and an owner where it is in the same namespace. */
export const jobObject = (metadata: ObjectMeta, plan: JobPlan): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {
    ...metadata,
    labels: { ...metadata.labels, ...plan.pod.labels },
    annotations: { ...metadata.annotations, ...plan.pod.annotations },
  },
  spec: jobSpec(metadata.name, plan),
});

export interface CronPlan extends JobPlan {
  schedule: string;
  timeZone: string;
  suspend: boolean;
  concurrencyPolicy: string;
  startingDeadlineSeconds: number | undefined;
  successfulJobsHistoryLimit: number;
  failedJobsHistoryLimit: number;
}

export const cronJobObject = (metadata: ObjectMeta, plan: CronPlan): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: {
    ...metadata,
    labels: { ...metadata.labels, ...plan.pod.labels },
    annotations: { ...metadata.annotations, ...plan.pod.annotations },
  },
  spec: {
    schedule: plan.schedule,
    timeZone: plan.timeZone,
    suspend: plan.suspend,
    concurrencyPolicy: plan.concurrencyPolicy,
    ...(plan.startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds: plan.startingDeadlineSeconds }),
    successfulJobsHistoryLimit: plan.successfulJobsHistoryLimit,
    failedJobsHistoryLimit: plan.failedJobsHistoryLimit,
    jobTemplate: {
      metadata: { labels: { ...plan.pod.labels }, annotations: { ...plan.pod.annotations } },
      spec: jobSpec(metadata.name, plan),
    },
  },
});
