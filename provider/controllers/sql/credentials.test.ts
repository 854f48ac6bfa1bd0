import { expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { SecretCredentials } from './credentials.ts';

const now = new Date('2026-06-01T00:00:00Z');
const data: Record<string, string> = { password: Buffer.from('stored').toString('base64') };
const credentials = new SecretCredentials(
  async (namespace, name) =>
    await Promise.resolve({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data }),
  () => now,
);

const role = (passwordChangedAt: unknown): Managed => ({
  apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
  kind: 'Role',
  metadata: { namespace: 'a', name: 'b' },
  spec: {
    forProvider: { passwordRotation: { every: '720h' } },
    providerConfigRef: { kind: 'ProviderConfig', name: 'default' },
    writeConnectionSecretToRef: { name: 'b' },
  },
  status: { atProvider: { passwordChangedAt } },
});

test('a generated password is changed when its time has come', async () => {
  expect((await credentials.password(role('2026-05-20T00:00:00Z')))?.value.reveal()).toBe('stored');
  expect((await credentials.password(role('2026-04-20T00:00:00Z')))?.value.reveal()).not.toBe('stored');
});

test.each(['by hand', '', 7, null])('a time of its last change that is none (%j) begins anew', async (changedAt) => {
  const resource = role(changedAt);
  const password = await credentials.password(resource);
  expect(password?.value.reveal()).toBe('stored');
  const said = credentials.atProvider(resource, { password } as never);
  expect(said).toEqual({ passwordChangedAt: now.toISOString() });
});

test.each([
  ['bytes that are no text', Buffer.from([0x41, 0xff, 0x80]), 'holds what is no text (UTF-8)'],
  ['a zero byte', Buffer.from('a\0b'), 'holds a zero byte'],
])('a Secret with %s gives no password: the programs that mount it would have another', async (_, bytes, says) => {
  const of = (spec: object): Managed => {
    const resource = role(undefined);
    return { ...resource, spec: { ...resource.spec, forProvider: { ...spec } } };
  };
  const read = new SecretCredentials(
    async (namespace, name) =>
      await Promise.resolve({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name },
        data: { password: bytes.toString('base64') },
      }),
    () => now,
  );
  const error = (where: string) => ({
    reason: 'SecretNotText',
    message: expect.stringContaining(`${where} ${says}`) as string,
  });
  await expect(read.password(of({ passwordSecretRef: { name: 's' } }))).rejects.toMatchObject(
    error('forProvider.passwordSecretRef: key "password" of Secret "a/s"'),
  );
  await expect(read.password(of({}))).rejects.toMatchObject(error('key "password" of Secret "a/b"'));
});
