/** Connection Secrets on a real API server, by a provider whose watch has not told of them yet. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { RoleKind } from '../../provider/api/role.ts';
import { CONNECTION_SECRET_TYPE, Secrets } from '../../provider/controllers/objects/secrets.ts';
import { KubeClient } from '../../provider/runtime/kube/client.ts';
import { PooledKubeConfig } from '../../provider/runtime/kube/config.ts';
import { isConflict } from '../../provider/runtime/kube/errors.ts';
import { keyOf, SECRETS } from '../../provider/runtime/kube/resource.ts';
import type { SecretObject } from '../../provider/runtime/managed/store.ts';
import { managed } from '../e2e/objects.ts';
import { sharedCluster } from '../rig/servers.ts';

const cluster = sharedCluster();
const namespace = `secrets-${randomBytes(4).toString('hex')}`;
let client: KubeClient;
let known: Map<string, KubeObject>;
let secrets: Secrets;
let name: string;
let role: Managed;

beforeAll(async () => {
  await cluster.kubectl(['create', 'namespace', namespace]);
  client = new KubeClient(PooledKubeConfig.load({ kubeconfig: cluster.kubeconfig }));
});
afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
});
beforeEach(() => {
  known = new Map();
  secrets = new Secrets(client, {
    get: (key) => known.get(key),
    put: (object) => void known.set(keyOf(object.metadata), object),
  });
  name = `login-${randomBytes(4).toString('hex')}`;
  role = managed('Role', namespace, 'app', {}, { secret: name }) as unknown as Managed;
  role.metadata.uid = randomUUID();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const make = async (type: string, data: Record<string, string>): Promise<SecretObject> =>
  await client.create<SecretObject>(SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type,
    data,
  });

const stored = async (): Promise<Record<string, string> | undefined> =>
  (await client.get<SecretObject>(SECRETS, { namespace, name })).data;

test('a password that was put into the Secret at the same moment is not overwritten, and is known from then on', async () => {
  await make(CONNECTION_SECRET_TYPE, { password: base64('given') });
  expect(await secrets.getKnown(namespace, name)).toBeUndefined();
  const publish = async (password: string): Promise<void> => {
    await secrets.publish(role, RoleKind, { username: 'app', password });
  };
  await expect(publish('made up')).rejects.toSatisfy(isConflict);
  expect(await stored()).toEqual({ password: base64('given') });
  // As the next look at the role does, which finds the password that was given.
  expect((await secrets.getKnown(namespace, name))?.data).toEqual({ password: base64('given') });
  await publish('given');
  expect(await stored()).toEqual({ username: base64('app'), password: base64('given') });
});

test('a Secret that says the same already is no conflict, as after an answer that was lost', async () => {
  const { metadata } = await make(CONNECTION_SECRET_TYPE, { password: base64('same') });
  await secrets.publish(role, RoleKind, { password: 'same' });
  expect((await client.get(SECRETS, { namespace, name })).metadata.resourceVersion).toBe(metadata.resourceVersion);
});

test('a Secret of somebody else is left alone, known or not', async () => {
  await make('Opaque', { password: base64('theirs') });
  const publish = async (): Promise<void> => {
    await secrets.publish(role, RoleKind, { password: 'ours' });
  };
  await expect(publish()).rejects.toMatchObject({ reason: 'SecretNotOurs' });
  known.set(`${namespace}/${name}`, await client.get(SECRETS, { namespace, name }));
  await expect(publish()).rejects.toMatchObject({ reason: 'SecretNotOurs' });
  expect(await stored()).toEqual({ password: base64('theirs') });
});
