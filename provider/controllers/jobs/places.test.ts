import { expect, test } from 'vitest';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { Storage } from '../../api/storage.ts';
import type { SecretName } from '../objects/secret-names.ts';
import { resolvePlace } from './places.ts';

const secretAt = async ({ namespace, name }: SecretName) => {
  await Promise.resolve();
  if (name === 'gone') return undefined;
  const data = { AWS_ACCESS_KEY_ID: `${namespace}-id`, AWS_SECRET_ACCESS_KEY: `${namespace}-key\n` };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  };
};

const credentials = (more: object) => ({
  accessKeyIdKey: 'AWS_ACCESS_KEY_ID',
  secretAccessKeyKey: 'AWS_SECRET_ACCESS_KEY',
  sessionTokenKey: 'AWS_SESSION_TOKEN',
  name: 'keys',
  ...more,
});

const config = (kind: ProviderConfig['kind'], namespace: string | undefined, ref: object): ProviderConfig =>
  ({
    apiVersion: 'm.xdatabase.dev/v1alpha1',
    kind,
    metadata: { name: 'c', ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      storages: [
        { name: 'main', s3: { bucket: 'bucket', region: 'r', prefix: '/p/', credentialsSecretRef: credentials(ref) } },
      ],
    },
  }) as unknown as ProviderConfig;

test('a storage of a shared configuration reads the Secrets of the platform, and only its own folder may be read', async () => {
  const resolved = await resolvePlace(
    { name: 'main' },
    'tenant',
    config('ClusterProviderConfig', undefined, { namespace: 'platform' }),
    secretAt,
  );
  expect(resolved).toEqual({
    isShared: true,
    place: {
      type: 's3',
      bucket: 'bucket',
      region: 'r',
      prefix: '/p/',
      credentials: {
        accessKeyIdFile: '/xdatabase/secrets/access-key-id',
        secretAccessKeyFile: '/xdatabase/secrets/secret-access-key',
      },
    },
    files: { 'access-key-id': 'platform-id', 'secret-access-key': 'platform-key' },
  });
});

test('a namespaced configuration reads its own namespace, whatever it says', async () => {
  const own = config('ProviderConfig', 'tenant', { namespace: 'platform' });
  expect((await resolvePlace({ name: 'main' }, 'tenant', own, secretAt)).files['access-key-id']).toBe('tenant-id');
});

test('a storage of a resource reads the namespace of the resource', async () => {
  const storage = {
    s3: { bucket: 'b', region: 'r', credentialsSecretRef: credentials({ namespace: 'platform' }) },
  } as unknown as Storage;
  const resolved = await resolvePlace(storage, 'tenant', config('ClusterProviderConfig', undefined, {}), secretAt);
  expect(resolved).toMatchObject({ isShared: false, files: { 'access-key-id': 'tenant-id' } });
});

test('what is missing is named', async () => {
  const own = config('ProviderConfig', 'tenant', {});
  await expect(resolvePlace({ name: 'other' }, 'tenant', own, secretAt)).rejects.toMatchObject({
    reason: 'StorageNotFound',
    message: expect.stringContaining('it has main'),
  });
  const gone = config('ProviderConfig', 'tenant', { name: 'gone' });
  await expect(resolvePlace({ name: 'main' }, 'tenant', gone, secretAt)).rejects.toMatchObject({
    reason: 'SecretNotFound',
    message: expect.stringContaining('tenant/gone'),
  });
  const key = config('ProviderConfig', 'tenant', { secretAccessKeyKey: 'nope' });
  await expect(resolvePlace({ name: 'main' }, 'tenant', key, secretAt)).rejects.toMatchObject({
    reason: 'SecretKeyNotFound',
    message: expect.stringContaining('"nope"'),
  });
});
