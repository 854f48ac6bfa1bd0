/** A pod that is deleted, a node that is drained, a deadline: SIGTERM to all containers, and SIGKILL half a minute later. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import type { ToolFolders } from '../../provider/backup/tools/tool.ts';
import { waitFor } from '../rig/process.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { sharedS3 } from '../rig/servers.ts';
import {
  backup,
  emptyTarget,
  filesBelow,
  path,
  restore,
  server,
  SOURCE,
  startBackup,
  startRestore,
  targetTables,
  useSource,
  whenDumping,
  world,
} from './faults-world.ts';
import { toolServer } from './postgres-world.ts';
import type { Finished, Pod } from './world.ts';

/** terminationGracePeriodSeconds of the pods. */
const GRACE_MS = 30_000;

const s3 = sharedS3();
let proxy: FaultyS3;
useSource('sigterm');
beforeAll(async () => {
  proxy = await startFaultyS3(s3.endpoint);
});
afterEach(() => {
  proxy.fault = () => undefined;
});
afterAll(async () => {
  await proxy.stop();
});

/** Ends a pod as the kubelet does, and fails if anything of it had to be killed. */
async function terminate(pod: Pod, { only }: { only?: 'runner' } = {}): Promise<Finished> {
  const processes = [pod.runner, ...pod.tools];
  for (const process of only === 'runner' ? [pod.runner] : processes) process.kill('SIGTERM');
  const killed: string[] = [];
  const timer = setTimeout(() => {
    for (const [index, process] of processes.entries())
      if (process.exitCode === null && process.signalCode === null && process.kill('SIGKILL'))
        killed.push(index === 0 ? 'the runner' : 'the tool');
  }, GRACE_MS);
  const finished = await pod.finished;
  clearTimeout(timer);
  expect(killed).toEqual([]);
  expect(finished.result).toMatchObject({ ok: false, failureReason: 'Interrupted' });
  return finished;
}

/** Sessions of dump and load tools. */
const sessions = async (): Promise<number> =>
  (
    await server.query(
      `select 1 from pg_stat_activity where application_name = 'xdatabase' and datname like 'sigterm%'`,
    )
  ).length;

/** Between a tool and its server: hears everything, and says nothing more once it is told to be silent. */
async function silentProxy(): Promise<{ port: number; silence(): void; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const listener = createServer((near) => {
    const far = connect(server.port, server.host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (part) => {
        if (!isSilent) to.write(part);
      });
      from.on('error', () => {});
      from.on('close', () => {
        if (!isSilent) to.destroy();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    silence: () => {
      isSilent = true;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

describe('SIGTERM ends a backup in order', () => {
  test.each(['runner', undefined] as const)('whose tool waits for a lock (to the %s)', async (only) => {
    const place = world.filesystem(`lock-${only}`);
    const holder = new Client({ connectionString: server.url(SOURCE) });
    await holder.connect();
    try {
      await holder.query('begin');
      await holder.query('lock table t in access exclusive mode');
      const pod = await startBackup({ storage: place });
      await waitFor('the tool waits for the lock', async () => {
        const waiting = await server.query(
          `select 1 from pg_stat_activity where datname = '${SOURCE}' and wait_event_type = 'Lock' and application_name = 'xdatabase'`,
        );
        return waiting.length > 0;
      });
      await terminate(pod, only === undefined ? {} : { only });
      await waitFor('the server is rid of the tool', async () => (await sessions()) === 0);
      expect(await filesBelow(place)).toEqual([]);
    } finally {
      await holder.end();
    }
  });

  test('whose server has fallen silent, and would not hear that the dump is cancelled', async () => {
    const between = await silentProxy();
    const folders = world.folders();
    const place = world.filesystem('silent');
    try {
      const pod = await world.start(
        {
          action: 'backup',
          storage: place,
          owner: { namespace: 'team-a', name: 'nightly', database: SOURCE, engine: 'postgres' },
          run: 'silent',
          serverVersion: server.version,
          compression: 'none',
          tool: { folder: folders.work },
        },
        [{ container: postgresTools.dump({ ...toolServer(server, SOURCE), port: between.port }, folders), path }],
      );
      await whenDumping(pod);
      between.silence();
      await terminate(pod);
      expect(await filesBelow(place)).toEqual([]);
    } finally {
      await between.stop();
    }
  });

  test.each(['UploadPart', 'CreateMultipartUpload', 'HeadObject'])('whose storage hangs at %s', async (operation) => {
    const bucket = await s3.bucket();
    const place = await world.s3({ ...s3, endpoint: proxy.endpoint }, bucket);
    let isHanging = false;
    proxy.fault = ({ method, query }) => {
      const hangs =
        operation === 'UploadPart'
          ? query.get('partNumber') === '2'
          : operation === 'CreateMultipartUpload'
            ? query.has('uploads')
            : method === 'HEAD';
      isHanging ||= hangs;
      return hangs ? { hang: true } : undefined;
    };
    const pod = await startBackup({ storage: place });
    await waitFor('the storage hangs', async () => isHanging);
    await terminate(pod);
    const left = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(left.Uploads ?? []).toEqual([]);
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
    expect(Contents).toEqual([]);
    await waitFor('the server is rid of the tool', async () => (await sessions()) === 0);
  });
});

describe('SIGTERM ends a restore in order', () => {
  test('whose storage hangs in the middle of the file', async () => {
    await emptyTarget();
    const place: Place = await world.s3({ ...s3, endpoint: proxy.endpoint }, await s3.bucket());
    expect((await backup({ storage: place })).result).toMatchObject({ ok: true });
    let isHanging = false;
    proxy.fault = ({ method, path: key }) => {
      if (method !== 'GET' || !key.endsWith('.dump')) return undefined;
      isHanging = true;
      return { stall: 1_000_000 };
    };
    const pod = await startRestore(place);
    await waitFor('the storage hangs', async () => isHanging);
    await terminate(pod);
    expect(await targetTables()).toBe(0);
    proxy.fault = () => undefined;
    expect((await restore(place)).result).toMatchObject({ ok: true });
  });
});

test('SIGTERM ends a runner whose tool never comes, and a tool whose runner never comes', async () => {
  const lonely = world.folders();
  const request = {
    action: 'backup',
    storage: world.filesystem('lonely'),
    owner: { namespace: 'team-a', name: 'nightly', database: SOURCE, engine: 'postgres' },
    run: 'lonely',
    serverVersion: server.version,
    tool: { folder: lonely.work },
  } as const;
  const pod = await world.start(request);
  await once(pod.runner.stdout!, 'data');
  await terminate(pod);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const folders = world.folders();
    const tool = await world.tool(postgresTools.dump(toolServer(server, SOURCE), folders), path);
    await waitFor('the tool waits', async () => processesOf(folders).length > 1);
    tool.kill(signal);
    await once(tool, 'close');
    expect(tool.signalCode ?? tool.exitCode).not.toBe(0);
    await waitFor('nothing of it is left', async () => processesOf(folders).length === 0);
  }
});

/** Numbers of the processes of a tool's container, whoever started them. */
const processesOf = ({ work }: ToolFolders): string[] =>
  readdirSync('/proc').filter((entry) => {
    try {
      return readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0').includes(`XDB_WORK=${work}`);
    } catch {
      return false;
    }
  });
