/** CR5 backup-cron-job: a schedule that the server runs by itself, over its life. */
import { describe, expect } from 'vitest';
import { runSchedule } from '../../rig/cockroachdb/schedules.ts';
import type { Schedule } from '../../rig/cockroachdb/state.ts';
import { namespaceOf, run } from '../objects.ts';
import { S3_SECRET, type Scene, scenario, type Theatre } from './scene.ts';

const DATABASE = 'example-db';
const NAME = 'example-backup-cron-job';
const ELSEWHERE = { bucket: 'elsewhere', prefix: 'moved/' };

/** Those of the manifests. */
const fields = (scene: Scene): { storage: { s3: object } } =>
  (scene.manifests.object('BackupSchedule', NAME)['spec'] as { forProvider: { storage: { s3: object } } }).forProvider;
const mine = (scene: Scene, name = NAME, namespace = scene.namespace): Schedule[] =>
  [...scene.server.state.schedules.values()].filter(({ label }) => label.includes(` ${namespace}/${name} `));
const only = (scene: Scene): Schedule => {
  const found = mine(scene);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const becomes = async (scene: Scene, what: string, test: (schedule: Schedule) => boolean): Promise<void> => {
  await scene.eventually(what, async () => {
    const found = mine(scene);
    if (found.length === 1 && test(found[0]!)) return await Promise.resolve(true);
    throw new Error(JSON.stringify(found));
  });
};

export function cr5(theatre: Theatre): void {
  describe('CR5 backup-cron-job', () => {
    const step = scenario(theatre, 'cr5');

    step('a schedule is made, and shown with its secret hidden', async (scene) => {
      await scene.open('cr5-backup-cron-job.yaml');
      await scene.apply(...scene.manifests.objects);
      await scene.ready();
      const made = await scene.until('BackupSchedule', NAME, 'Ready', 'True');
      expect(made.status?.atProvider).toMatchObject({
        suspended: false,
        command: expect.stringMatching(
          /^BACKUP DATABASE "example-db" INTO 'external:\/\/xdatabase_[0-9a-f]{16}\/[^']*' WITH OPTIONS \(detached\)$/,
        ) as unknown,
      });
      expect(only(scene)).toMatchObject({ recurrence: '0 0 * * *', paused: false });
    });

    step('edits change it in place, and the next looks send nothing', async (scene) => {
      const { id } = only(scene);
      await scene.edit('BackupSchedule', NAME, { schedule: '30 4 * * *' });
      await becomes(scene, 'another time', ({ recurrence }) => recurrence === '30 4 * * *');
      await scene.edit('BackupSchedule', NAME, { suspend: true });
      await becomes(scene, 'paused', ({ paused }) => paused);
      await scene.edit('BackupSchedule', NAME, { suspend: false });
      await becomes(scene, 'going on', ({ paused }) => !paused);
      expect(only(scene).id).toBe(id);
      const changes = (): number =>
        scene.server.statements.filter(({ text }) => /^(CREATE|ALTER|DROP|PAUSE|RESUME)\b/.test(text)).length;
      await scene.until('BackupSchedule', NAME, 'Ready', 'True');
      const [before, reads] = [changes(), scene.server.statements.length];
      await scene.eventually(
        'it is looked at again',
        async () => await Promise.resolve(scene.server.statements.length > reads + 20),
      );
      expect(changes()).toBe(before);
    });

    step('another storage, and a rotated key, are taken up by the same schedule', async (scene) => {
      const { id } = only(scene);
      await scene.apply(scene.secret('s3-secret', { AWS_ACCESS_KEY_ID: 'MYKEY', SECRET_ACCESS_KEY: 'rotated' }));
      const uri = (): string => [...scene.server.state.connections.values()].map((each) => each.uri).join(' ');
      await scene.eventually('the new key is there', async () => await Promise.resolve(uri().includes('rotated')));
      expect(uri()).not.toContain(encodeURIComponent(S3_SECRET));
      await scene.edit('BackupSchedule', NAME, { storage: { s3: ELSEWHERE } });
      await scene.eventually(
        'the other bucket is there',
        async () => await Promise.resolve(uri().includes('s3://elsewhere/moved')),
      );
      expect(only(scene).id).toBe(id);
    });

    step('what somebody has dropped or paused by hand is healed', async (scene) => {
      await scene.sql(`PAUSE SCHEDULE ${only(scene).id}`);
      await becomes(scene, 'going on', ({ paused }) => !paused);
      const { id } = only(scene);
      await scene.sql(`DROP SCHEDULE ${id}`);
      await becomes(scene, 'there again', (schedule) => schedule.id !== id);
    });

    step('one that is born suspended stays so; one of the same name elsewhere is another', async (scene) => {
      const other = `${scene.namespace}-other`;
      await scene.apply(
        scene.run('BackupSchedule', 'suspended', { ...fields(scene), suspend: true }),
        namespaceOf(other),
        scene.rootSecret(other),
        scene.secret('s3-secret', { AWS_ACCESS_KEY_ID: 'MYKEY', SECRET_ACCESS_KEY: 'rotated' }, other),
        { ...scene.manifests.config, metadata: { ...scene.manifests.config.metadata, namespace: other } },
        run(
          'BackupSchedule',
          other,
          NAME,
          { ...fields(scene), databaseRef: undefined, database: DATABASE },
          scene.config,
        ),
      );
      await scene.until('BackupSchedule', 'suspended', 'Ready', 'True');
      await scene.eventually(
        'both are there',
        async () => await Promise.resolve(mine(scene, NAME, other).length === 1),
      );
      expect(mine(scene, 'suspended')).toMatchObject([{ paused: true }]);
      expect(only(scene).id).not.toBe(mine(scene, NAME, other)[0]?.id);
      await scene.cluster.kubectl(['delete', 'namespace', other, '--timeout=60s']);
      expect(mine(scene, NAME, other)).toEqual([]);
    });

    step('its last run is told, good or bad, and what it made comes back', async (scene) => {
      const { server } = scene;
      await scene.sql('CREATE TABLE public.items (id int)', DATABASE);
      await scene.sql('INSERT INTO public.items VALUES (1), (2), (3)', DATABASE);
      scene.age();
      const told = async (field: string): Promise<unknown> =>
        (await scene.get('BackupSchedule', NAME)).status?.atProvider?.[field];
      server.jobs.nextFailure = 'the bucket is gone';
      runSchedule(server, only(scene).id);
      await scene.eventually('the failure is told', async () => await told('lastFailureMessage'));
      expect(await told('lastFailureMessage')).toContain('the bucket is gone');
      await server.jobs.ended(runSchedule(server, only(scene).id));
      await scene.eventually('the success is told', async () => await told('lastSuccessTime'));
      const { key } = (await told('lastBackup')) as { key: string };
      await scene.apply(
        scene.managed('Database', 'copy', { dropPolicy: 'Always' }, { externalName: 'copy-db' }),
        scene.run('Restore', 'copy', {
          source: {
            storage: { s3: { ...fields(scene).storage.s3, ...ELSEWHERE } },
            key,
          },
          sourceDatabase: DATABASE,
          targetDatabaseRef: { name: 'copy' },
        }),
      );
      await scene.until('Restore', 'copy', 'Ready', 'True');
      expect(await scene.sql('SELECT id FROM public.items ORDER BY id', 'copy-db')).toHaveLength(3);
    });

    step('deletion leaves no schedule, but the one that may not be deleted', async (scene) => {
      const policies = ['Observe', 'Create', 'Update', 'LateInitialize'];
      await scene.apply(scene.run('BackupSchedule', 'kept', fields(scene), policies));
      await scene.until('BackupSchedule', 'kept', 'Ready', 'True');
      for (const name of [NAME, 'suspended', 'kept']) await scene.delete('BackupSchedule', name);
      expect([...scene.server.state.schedules.values()].map(({ label }) => label)).toEqual([
        expect.stringContaining('/kept '),
      ]);
      for (const { id } of mine(scene, 'kept')) await scene.sql(`DROP SCHEDULE ${id}`);
      for (const name of scene.server.state.connections.keys()) await scene.sql(`DROP EXTERNAL CONNECTION ${name}`);
      await scene.gone();
      expect(scene.server.violations).toEqual([]);
    });
  });
}
