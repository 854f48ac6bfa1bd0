/** The kubelet of the rig, with the real Job, CronJob and TTL controllers. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { Kubelet } from './kubelet.ts';
import { type Cluster, startKubernetes } from './kubernetes.ts';
import { waitFor } from './process.ts';

let cluster: Cluster;
let kubelet: Kubelet;
let claim: string;

beforeAll(async () => {
  claim = await mkdtemp(join(tmpdir(), 'xdatabase-claim-'));
  cluster = await startKubernetes();
  kubelet = await Kubelet.start({
    kubeconfig: cluster.kubeconfig,
    images: { 'tools:1': { folders: [] } },
    claims: { 'default/data': claim },
  });
});
afterAll(async () => {
  await kubelet?.stop();
  await cluster?.stop();
  await rm(claim, { recursive: true, force: true });
});

type Spec = Record<string, unknown>;

const container = (name: string, script: string, more: Spec = {}): Spec => ({
  name,
  image: 'tools:1',
  command: ['sh', '-c', script],
  ...more,
});

const job = (name: string, pod: Spec, more: Spec = {}): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'default' },
  spec: { backoffLimit: 0, ...more, template: { spec: { restartPolicy: 'Never', ...pod } } },
});

const finished = async (name: string, type: 'Complete' | 'Failed'): Promise<KubeObject> =>
  await waitFor(`job ${name} is ${type}`, async () => {
    const object = await cluster.get<KubeObject & { status?: { conditions?: { type: string; status: string }[] } }>(
      'job',
      name,
    );
    if (object.status?.conditions?.some((c) => c.type === type && c.status === 'True') === true) return object;
    throw new Error(JSON.stringify(object.status));
  });

interface PodStatus {
  phase: string;
  containerStatuses: { name: string; state: { terminated?: { message?: string } } }[];
}

const podOf = async (name: string): Promise<PodStatus> => {
  const { items } = await cluster.get<{ items: { status: PodStatus }[] }>('pods', '-l', `job-name=${name}`);
  expect(items).toHaveLength(1);
  return items[0]!.status;
};

test('two containers talk through a FIFO in a shared volume, and a message comes back', async () => {
  await cluster.apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'given', namespace: 'default' },
      stringData: { word: 'open' },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'plain', namespace: 'default' }, data: { color: 'red' } },
  ]);
  const mounts = [
    { name: 'pipe', mountPath: '/pipe' },
    { name: 'given', mountPath: '/run/given' },
  ];
  const env = [
    { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'plain', key: 'color' } } },
    { name: 'WORD', valueFrom: { secretKeyRef: { name: 'given', key: 'word' } } },
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ];
  await cluster.apply(
    job('fifo', {
      volumes: [
        { name: 'pipe', emptyDir: {} },
        { name: 'given', secret: { secretName: 'given' } },
      ],
      initContainers: [container('make', 'mkfifo /pipe/data', { volumeMounts: mounts })],
      containers: [
        container('writer', 'echo "$COLOR $WORD $POD $(cat /run/given/word)" > /pipe/data', {
          volumeMounts: mounts,
          env,
        }),
        container('reader', 'cat /pipe/data > /dev/termination-log', { volumeMounts: mounts }),
      ],
    }),
  );
  await finished('fifo', 'Complete');
  const status = await podOf('fifo');
  expect(status.phase).toBe('Succeeded');
  const reader = status.containerStatuses.find(({ name }) => name === 'reader');
  expect(reader?.state.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
  expect(reader?.state.terminated?.message).toMatch(/^red open fifo-\w+ open\n$/);
});

test('a container is the user that it says, cannot write its root and sees no process of others', async () => {
  await cluster.apply(
    job('closed', {
      securityContext: { runAsUser: 4711, runAsGroup: 4712, fsGroup: 4713, runAsNonRoot: true },
      volumes: [
        { name: 'scratch', emptyDir: {} },
        { name: 'given', secret: { secretName: 'given', defaultMode: 0o400 } },
      ],
      containers: [
        container(
          'it',
          'id -u; id -G; touch /file 2>&1; touch /scratch/file && ls /proc | grep -c "^[0-9]"; cat /run/given/word; echo x > /run/given/word',
          {
            securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
            volumeMounts: [
              { name: 'scratch', mountPath: '/scratch' },
              { name: 'given', mountPath: '/run/given' },
            ],
          },
        ),
      ],
    }),
  );
  await finished('closed', 'Failed');
  const said = await kubelet.log('default', 'closed', 'it');
  expect(said).toContain('4711\n4712 4713\n');
  expect(said).toMatch(/touch: cannot touch '\/file': Read-only file system/);
  expect(Number(/\n(\d+)\nopen/.exec(said)?.[1])).toBeLessThan(5);
  expect(said).toMatch(/\/run\/given\/word: (Read-only file system|Permission denied)/);
});

test('a failed container fails the Job, with its exit code and the end of its log', async () => {
  await cluster.apply(
    job('fails', {
      containers: [
        container('it', 'echo about to fail; exit 7', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
      ],
    }),
  );
  await finished('fails', 'Failed');
  const status = await podOf('fails');
  expect(status.containerStatuses[0]?.state.terminated).toMatchObject({ exitCode: 7, message: 'about to fail\n' });
});

test('a container that is killed says by which signal', async () => {
  await cluster.apply(job('killed', { containers: [container('it', 'echo up; exec sleep 600')] }));
  await waitFor('it is up', async () => (await kubelet.log('default', 'killed', 'it')) === 'up\n');
  kubelet.kill('default', 'killed', 'it');
  await finished('killed', 'Failed');
  const status = await podOf('killed');
  expect(status.containerStatuses[0]?.state.terminated).toMatchObject({ exitCode: 137, signal: 9 });
});

test('a deleted Job ends its processes, with SIGTERM first', async () => {
  const script = `trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done`;
  await cluster.apply(job('deleted', { containers: [container('it', script)] }));
  await waitFor('it is up', async () => (await kubelet.log('default', 'deleted', 'it')) === 'up\n');
  await cluster.kubectl(['delete', 'job', 'deleted']);
  await waitFor('its pod is gone', async () => {
    const { items } = await cluster.get<{ items: unknown[] }>('pods', '-l', 'job-name=deleted');
    return items.length === 0;
  });
  expect(await kubelet.log('default', 'deleted', 'it')).toBe('up\nasked\n');
});

test('a deadline of the Job ends what takes too long', async () => {
  await cluster.apply(
    job(
      'late',
      { terminationGracePeriodSeconds: 1, containers: [container('it', 'exec sleep 600')] },
      { activeDeadlineSeconds: 1 },
    ),
  );
  const object = await finished('late', 'Failed');
  expect(JSON.stringify(object['status'])).toContain('DeadlineExceeded');
});

test('what a pod waits for may come later, and a claim is a folder', async () => {
  await cluster.apply(
    job('waits', {
      volumes: [
        { name: 'later', secret: { secretName: 'later' } },
        { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      ],
      containers: [
        container('it', 'cp /later/word /data/word', {
          volumeMounts: [
            { name: 'later', mountPath: '/later' },
            { name: 'data', mountPath: '/data' },
          ],
        }),
      ],
    }),
  );
  await waitFor('it says what is missing', async () => {
    const { items } = await cluster.get<{ items: object[] }>('pods', '-l', 'job-name=waits');
    return JSON.stringify(items).includes('secret \\"later\\" not found');
  });
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'later', namespace: 'default' },
    stringData: { word: 'late' },
  });
  await finished('waits', 'Complete');
  expect(await readFile(join(claim, 'word'), 'utf8')).toBe('late');
});

test('a CronJob makes Jobs, of which a suspended one waits', async () => {
  await cluster.apply({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        metadata: { labels: { from: 'tick' } },
        spec: {
          suspend: true,
          backoffLimit: 0,
          template: { spec: { restartPolicy: 'Never', containers: [container('it', 'true')] } },
        },
      },
    },
  });
  await cluster.kubectl(['create', 'job', 'by-hand', '--from=cronjob/tick']);
  const job_ = await cluster.get<KubeObject>('job', 'by-hand');
  expect(job_.metadata.labels).toEqual({ from: 'tick' });
  expect(await cluster.get<{ items: unknown[] }>('pods', '-l', 'job-name=by-hand')).toMatchObject({ items: [] });
  await cluster.kubectl(['patch', 'job', 'by-hand', '--type=merge', '-p', '{"spec":{"suspend":false}}']);
  await finished('by-hand', 'Complete');
});
