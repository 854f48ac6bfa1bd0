import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { jitterOf, jobName, type RunRole, serverNames } from './names.ts';

const resource = (kind: string, name: string, uid: string): Managed => ({
  apiVersion: 'backup.m.xdatabase.dev/v1alpha1',
  kind,
  metadata: { name, namespace: 'a', uid },
  spec: { forProvider: {}, providerConfigRef: { kind: 'ProviderConfig', name: 'default' } },
});

const kinds = fc.constantFrom('Backup', 'BackupSchedule', 'Restore', 'RestoreSchedule', 'Copy', 'CopySchedule');
const roles = fc.constantFrom<RunRole>('run', 'verify', 'delete');
const names = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$/);

test('a name of a Job is a name for a CronJob too, with room for the Secrets of its containers', () => {
  fc.assert(
    fc.property(kinds, roles, names, fc.uuid(), (kind, role, name, uid) => {
      const job = jobName(resource(kind, name, uid), role);
      expect(job).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      expect(job.length).toBeLessThanOrEqual(52);
      expect(`${job}-runner`.length).toBeLessThanOrEqual(63);
    }),
  );
});

test('resources of one name have Jobs of different names, whatever their kind and namespace', () => {
  const all = ['Backup', 'BackupSchedule', 'Restore', 'RestoreSchedule', 'Copy', 'CopySchedule'].flatMap(
    (kind, index) => [1, 2].map((copy) => resource(kind, 'same', `uid-${index}-${copy}`)),
  );
  const jobs = all.flatMap((one) => (['run', 'verify', 'delete'] as const).map((role) => jobName(one, role)));
  expect(new Set(jobs).size).toBe(jobs.length);
});

test('names on a server fit every engine and differ from each other', () => {
  fc.assert(
    fc.property(roles, fc.uuid(), (role, uid) => {
      const { login, sourceLogin, beside, replaced } = serverNames(resource('Copy', 'x', uid), role);
      for (const name of [login, sourceLogin]) expect(name.length).toBeLessThanOrEqual(32);
      expect(new Set([login, sourceLogin, beside, replaced]).size).toBe(4);
    }),
  );
});

test('the jitter of a resource is always the same, and below its bound', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 1, max: 86_400_000 }), (uid, bound) => {
      const wait = jitterOf(resource('BackupSchedule', 'x', uid), bound);
      expect(wait).toBe(jitterOf(resource('BackupSchedule', 'x', uid), bound));
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThan(bound);
    }),
  );
});
