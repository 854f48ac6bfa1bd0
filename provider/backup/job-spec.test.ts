import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { cronJobObject, jobObject, type JobPlan, workFolder } from './job-spec.ts';
import { postgresTools } from './tools/postgres.ts';

const folders = { work: workFolder('tool'), secrets: '/xdatabase/secrets' };
const tool = postgresTools.dump(
  {
    host: 'db.example',
    port: 5432,
    username: 'xdatabase_run_1',
    password: 'never-in-a-spec',
    database: 'shop; $(reboot)',
    version: '18.4',
    tls: { mode: 'verify-full', ca: 'PEM' },
  },
  folders,
);

const plan: JobPlan = {
  pod: {
    tools: { tool: { image: tool.image, command: ['/bin/sh', '-c', 'SCRIPT'], env: tool.env } },
    volume: { claimName: 'backups', path: '/backups' },
    engineImage: undefined,
    runnerImage: 'xdatabase/runner:v1',
    resources: undefined,
    serviceAccountName: 'backup',
    settings: {
      concurrency: 1,
      ttlSecondsAfterFinished: 60,
      nodeSelector: { disk: 'fast' },
      podLabels: { team: 'platform', 'xdatabase.dev/run': 'not yours' },
      podAnnotations: { note: 'x' },
    },
    labels: { 'xdatabase.dev/run': 'run' },
    annotations: { 'xdatabase.dev/resource': 'Backup a/b' },
  },
  activeDeadlineSeconds: 3600,
  backoffLimit: 2,
  ttlSecondsAfterFinished: 60,
};

/** `npx vitest -u` writes it anew. */
async function golden(name: string, object: object): Promise<void> {
  await expect(stringify(object, { lineWidth: 120 })).toMatchFileSnapshot(
    join(import.meta.dirname, '../../test/golden/expected', name),
  );
}

test('a Job is what it was', async () => {
  await golden('job.yaml', jobObject({ namespace: 'a', name: 'backup-b-1234' }, plan));
});

test('a CronJob is what it was', async () => {
  await golden(
    'cronjob.yaml',
    cronJobObject(
      { namespace: 'a', name: 'backupschedule-b-1234' },
      {
        ...plan,
        ttlSecondsAfterFinished: undefined,
        schedule: '0 3 * * *',
        timeZone: 'Europe/Amsterdam',
        suspend: false,
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: undefined,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
      },
    ),
  );
});

interface Container {
  name: string;
  securityContext: object;
  volumeMounts: { name: string }[];
}

const podOf = (object: object) =>
  (object as { spec: { template: { spec: { containers: Container[]; securityContext: object } } } }).spec.template.spec;

test('every container is locked down, and has its own Secret and no other', () => {
  const pod = podOf(jobObject({ namespace: 'a', name: 'job' }, plan));
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  for (const { name, securityContext, volumeMounts } of pod.containers) {
    expect(securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(volumeMounts.filter((mount) => mount.name.startsWith('secrets')).map((mount) => mount.name)).toEqual([
      `secrets-${name}`,
    ]);
  }
});

test('nothing secret is in it', () => {
  expect(JSON.stringify(jobObject({ namespace: 'a', name: 'job' }, plan))).not.toContain('never-in-a-spec');
});

test('the labels of the platform do not replace those that Jobs are found by', () => {
  const { template } = (
    jobObject({ namespace: 'a', name: 'job' }, plan) as unknown as { spec: { template: { metadata: object } } }
  ).spec;
  expect(template.metadata).toMatchObject({ labels: { 'xdatabase.dev/run': 'run', team: 'platform' } });
});
