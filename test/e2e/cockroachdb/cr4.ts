/** CR4 backup-job: a backup by the server itself, once, and what can be had back from it. */
import { describe, expect } from 'vitest';
import type { KubeObject } from '../../../provider/api/kind.ts';
import { startProvider } from '../provider-process.ts';
import { conditionOf } from '../objects.ts';
import { S3_SECRET, type Scene, scenario, type Theatre } from './scene.ts';

const DATABASE = 'example-db';
const ALL = ['CONNECT', 'CREATE', 'DROP', 'BACKUP', 'RESTORE', 'ZONECONFIG'];
const SJUUL = { name: 'sjuul', password: 'bla' };
const BACKUP = 'example-backup-job';

/** As that of the manifests, but for its name. */
const backup = (scene: Scene, name: string, more: object = {}) => {
  const { forProvider } = scene.manifests.object('Backup', BACKUP)['spec'] as { forProvider: object };
  return scene.run('Backup', name, { ...forProvider, ...more });
};
/** Jobs of the server for that resource, the oldest first; nobody else's mention it. */
const jobsOf = ({ server, namespace }: Scene, name: string): string[] =>
  [...server.state.jobs.values()].flatMap(({ id, description }) =>
    description.includes(`/${namespace}/${name}/`) ? [id] : [],
  );
const atProvider = async (scene: Scene, kind: string, name: string): Promise<Record<string, unknown>> =>
  (await scene.get(kind, name)).status?.atProvider ?? {};
const jobOf = async (scene: Scene, name: string): Promise<string> => {
  await scene.eventually('it has a job', async () => (await atProvider(scene, 'Backup', name))['jobId']);
  return String((await atProvider(scene, 'Backup', name))['jobId']);
};

export function cr4(theatre: Theatre): void {
  describe('CR4 backup-job', () => {
    const step = scenario(theatre, 'cr4');

    step('a role and its grants come before their database, and say that they wait', async (scene) => {
      await scene.open('cr4-backup-job.yaml');
      const isDatabase = ({ kind }: KubeObject): boolean => kind === 'Database';
      await scene.apply(...scene.manifests.base.filter((one) => !isDatabase(one)));
      expect(await scene.refused('Grant', 'example-user-example-db', 'ReferenceNotFound')).toContain(
        `there is no Database "${DATABASE}"`,
      );
      await scene.apply(...scene.manifests.base.filter(isDatabase));
      await scene.ready();
      expect(await scene.databases()).toEqual(['defaultdb', DATABASE, 'postgres', 'system']);
      expect(await scene.users()).toEqual(['root', 'sjuul']);
      const held = await scene.column(
        `SELECT privilege_type FROM [SHOW GRANTS ON DATABASE "${DATABASE}"] WHERE grantee = 'sjuul'`,
      );
      expect(held.some((privilege) => privilege === 'ALL' || ALL.includes(privilege))).toBe(true);
      await scene.as(SJUUL, 'CREATE TABLE public.items (id int PRIMARY KEY, note text)', DATABASE);
      await scene.as(SJUUL, "INSERT INTO public.items VALUES (1, 'first'), (2, 'second')", DATABASE);
      await scene.apply(
        scene.managed('Role', 'reader', {}, { externalName: 'reader', secret: 'reader' }),
        scene.managed('Grant', 'read', {
          databaseRef: { name: DATABASE },
          schema: 'public',
          tables: ['items'],
          roleRef: { name: 'reader' },
          privileges: ['SELECT'],
        }),
      );
      await scene.ready();
    });

    step('a database that is younger than what a backup is of is waited for', async (scene) => {
      scene.rejuvenate();
      await scene.apply(scene.manifests.object('Backup', BACKUP));
      expect(await scene.refused('Backup', BACKUP, 'Waiting')).toContain('ten seconds ago');
      scene.age();
      const done = await scene.until('Backup', BACKUP, 'Ready', 'True');
      const said = done.status?.atProvider ?? {};
      expect(said).toMatchObject({ phase: 'Succeeded', engine: 'cockroachdb' });
      const id = String(said['jobId']);
      expect(String(Number(id))).not.toBe(id);
      expect([...scene.server.state.jobs.keys()]).toContain(id);
      for (const time of ['startTime', 'completionTime']) expect(said[time]).toMatch(/Z$/);
      // The server forgets; what has succeeded has succeeded.
      scene.server.state.jobs.delete(id);
    });

    step('what becomes of a job is told as what it is', async (scene) => {
      const { jobs } = scene.server;
      jobs.isHeld = true;
      const names = ['canceled', 'failed', 'revert-failed'] as const;
      await scene.apply(...names.map((name) => backup(scene, name, { backoffLimit: 0 })));
      const becomes = async (name: (typeof names)[number], reason: string): Promise<void> => {
        const id = await jobOf(scene, name);
        jobs.set(id, 'paused');
        const paused = await scene.until('Backup', name, 'Ready', 'False', 'JobPaused');
        expect(conditionOf(paused, 'Ready')?.message).toContain(`RESUME JOB ${id}`);
        jobs.set(id, name, 'disk full');
        await scene.until('Backup', name, 'Ready', 'False', reason);
      };
      await Promise.all([
        becomes('canceled', 'JobCanceled'),
        becomes('failed', 'JobFailed'),
        becomes('revert-failed', 'JobRevertFailed'),
      ]);
      jobs.isHeld = false;
      for (const name of names) await scene.delete('Backup', name);
    });

    step('a backup that runs while the provider is killed is one backup', async (scene) => {
      scene.server.jobs.isHeld = true;
      await scene.apply(backup(scene, 'during-restart'));
      await jobOf(scene, 'during-restart');
    });
    step.once('the provider is killed, and another one starts', async ({ cluster }) => {
      await theatre.provider.stop('SIGKILL');
      theatre.provider = await startProvider(cluster, { poll: '2s' });
    });
    step('… which goes on where that one was', async (scene) => {
      const id = String((await atProvider(scene, 'Backup', 'during-restart'))['jobId']);
      scene.server.jobs.isHeld = false;
      await scene.server.jobs.finish(id);
      await scene.until('Backup', 'during-restart', 'Ready', 'True');
      expect(await atProvider(scene, 'Backup', 'during-restart')).toMatchObject({ phase: 'Succeeded', jobId: id });
      expect(await atProvider(scene, 'Backup', BACKUP)).toMatchObject({ phase: 'Succeeded' });
      expect(jobsOf(scene, 'during-restart')).toEqual([id]);
    });

    step('the same rows come back, under the same name and under another; grants are made again', async (scene) => {
      await scene.as(SJUUL, 'DELETE FROM public.items WHERE id = 1', DATABASE);
      const source = { backupRef: { name: BACKUP } };
      await scene.apply(
        scene.run('Restore', 'back', { source, targetDatabaseRef: { name: DATABASE }, mode: 'Replace' }),
        scene.managed('Database', 'copy', {}, { externalName: 'copy-db' }),
        scene.run('Restore', 'beside', { source, sourceDatabase: DATABASE, targetDatabaseRef: { name: 'copy' } }),
      );
      for (const name of ['back', 'beside']) await scene.until('Restore', name, 'Ready', 'True');
      const rows = [
        { id: 1, note: 'first' },
        { id: 2, note: 'second' },
      ];
      for (const database of [DATABASE, 'copy-db'])
        expect(await scene.sql('SELECT id, note FROM public.items ORDER BY id', database)).toEqual(rows);
      await scene.ready();
      const reader = await scene.login('reader');
      await scene.eventually(
        'the reader reads again',
        async () => (await scene.code(reader, 'SELECT * FROM public.items', DATABASE)) === '',
      );
    });

    step('no secret is in a statement, a job, an event, a status or the log', async (scene) => {
      const said = JSON.stringify([
        scene.server.statements.map(({ text }) => text),
        [...scene.server.state.jobs.values()].map(({ description }) => description),
        await scene.cluster.get(
          'events,backups.backup.m.xdatabase.dev,restores.backup.m.xdatabase.dev',
          '-n',
          scene.namespace,
        ),
        theatre.provider.log(),
      ]);
      for (const secret of [S3_SECRET, encodeURIComponent(S3_SECRET)]) expect(said).not.toContain(secret);
      expect(scene.server.violations).toEqual([]);
    });

    step('all of it goes in any order, and only a database with rows of which nothing is said stays', async (scene) => {
      await scene.gone(['copy-db', 'defaultdb', 'postgres', 'system']);
      await scene.sql('DROP DATABASE "copy-db" CASCADE');
    });
  });
}
