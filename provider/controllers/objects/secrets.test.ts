import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KubeObject, Managed, OwnerReference } from '../../api/kind.ts';
import { RoleKind } from '../../api/role.ts';
import { FakeApiServer } from '../../runtime/kube/fake-apiserver.fixture.ts';
import { SECRETS } from '../../runtime/kube/resource.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';
import { CONNECTION_SECRET_TYPE, controllerReference, Secrets } from './secrets.ts';

let api: FakeApiServer;
let secrets: Secrets;
beforeEach(async () => {
  api = await FakeApiServer.start();
  const known = new Map<string, KubeObject>();
  secrets = new Secrets(api.client(), {
    get: (key) => known.get(key),
    put: (object) => known.set(`${object.metadata.namespace}/${object.metadata.name}`, object),
  });
});
afterEach(async () => {
  await api.stop();
});

const role: Managed = {
  apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
  kind: 'Role',
  metadata: { namespace: 'a', name: 'app', uid: 'now' },
  spec: {
    forProvider: {},
    providerConfigRef: { kind: 'ProviderConfig', name: 'default' },
    writeConnectionSecretToRef: { name: 'app' },
  },
};
const own = controllerReference(role, RoleKind);

async function stored(owner: OwnerReference, type = CONNECTION_SECRET_TYPE): Promise<void> {
  await api.client().create<SecretObject>(SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: { namespace: 'a', name: 'app', ownerReferences: [owner] },
    data: { password: 'b2xk', mine: 'bWluZQ==' },
  });
}

const publish = async (): Promise<SecretObject> => {
  await secrets.publish(role, RoleKind, { password: 'new' });
  return await api.client().get<SecretObject>(SECRETS, { namespace: 'a', name: 'app' });
};

test('the Secret of a resource that was deleted and made again, or restored with it, is its own', async () => {
  await stored({ ...own, uid: 'before' });
  expect(await publish()).toMatchObject({
    metadata: { ownerReferences: [own] },
    data: { password: Buffer.from('new').toString('base64'), mine: 'bWluZQ==' },
  });
});

test.each([
  ['another name', { name: 'other' }, CONNECTION_SECRET_TYPE],
  ['another kind', { kind: 'Database' }, CONNECTION_SECRET_TYPE],
  ['another group', { apiVersion: 'sql.example.org/v1' }, CONNECTION_SECRET_TYPE],
  ['that name, but for something else', {}, 'Opaque'],
])('the Secret of a resource of %s is not', async (_what, change, type) => {
  await stored({ ...own, uid: 'before', ...change }, type);
  await expect(publish()).rejects.toMatchObject({ reason: 'SecretNotOurs' });
});
