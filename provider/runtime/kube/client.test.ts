import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { KubeClient } from './client.ts';
import { PooledKubeConfig } from './config.ts';
import { isAlreadyExists, isConflict, isExpired, isNotFound, type KubeError } from './errors.ts';
import { FakeApiServer } from './fake-apiserver.fixture.ts';
import { LEASES, type Resource, SECRETS } from './resource.ts';

const ROLES: Resource = { group: 'sql.example.dev', version: 'v1', kind: 'Role', plural: 'roles', namespaced: true };
const PATH = '/apis/sql.example.dev/v1/roles';

const role = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'sql.example.dev/v1',
  kind: 'Role',
  metadata: { name, namespace: 'app' },
  spec,
});

let fake: FakeApiServer;
beforeEach(async () => {
  fake = await FakeApiServer.start();
});
afterEach(async () => {
  await fake.stop();
});

const failureOf = async (work: Promise<unknown>): Promise<KubeError> =>
  await work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as KubeError,
  );

describe('KubeClient', () => {
  it('creates, reads, patches, replaces and deletes', async () => {
    const client = fake.client();
    const ref = { namespace: 'app', name: 'reader' };
    const created = await client.create(ROLES, role('reader', { login: true }));
    expect(created.metadata.uid).toBeTruthy();
    expect((await client.get(ROLES, ref))['spec']).toEqual({ login: true });

    const patched = await client.mergePatch(ROLES, ref, { spec: { login: null, inherit: true } });
    expect(patched['spec']).toEqual({ inherit: true });
    expect(fake.requests.at(-1)?.contentType).toBe('application/merge-patch+json');
    expect(fake.requests.at(-1)?.query.get('fieldManager')).toBe('xdatabase');

    const updated = await client.update(ROLES, { ...patched, status: { ok: 1 } }, { subresource: 'status' });
    expect(updated['status']).toEqual({ ok: 1 });
    expect(fake.requests.at(-1)?.path).toBe('/apis/sql.example.dev/v1/namespaces/app/roles/reader/status');

    await client.delete(ROLES, ref, { uid: created.metadata.uid });
    expect(fake.requests.at(-1)?.body).toMatchObject({ preconditions: { uid: created.metadata.uid } });
    expect(isNotFound(await failureOf(client.get(ROLES, ref)))).toBe(true);
  });

  it('sends an apply as apply-patch, forced unless told otherwise', async () => {
    const client = fake.client();
    await client.create(ROLES, role('reader'));
    await client.apply(ROLES, role('reader'), { fieldManager: 'me' });
    expect(fake.requests.at(-1)).toMatchObject({ method: 'PATCH', contentType: 'application/apply-patch+yaml' });
    expect(Object.fromEntries(fake.requests.at(-1)?.query ?? [])).toEqual({ fieldManager: 'me', force: 'true' });
  });

  it('tells a changed object from one that exists already', async () => {
    const client = fake.client();
    const created = await client.create(ROLES, role('reader'));
    const exists = await failureOf(client.create(ROLES, role('reader')));
    expect([isAlreadyExists(exists), isConflict(exists)]).toEqual([true, false]);
    await client.update(ROLES, created);
    const conflict = await failureOf(client.update(ROLES, created));
    expect([isAlreadyExists(conflict), isConflict(conflict)]).toEqual([false, true]);
  });

  it('lists page by page, and gives items their kind', async () => {
    const client = fake.client();
    for (let i = 0; i < 7; i++) {
      const { apiVersion: _, kind: __, ...bare } = role(`r${i}`);
      fake.put(PATH, bare as KubeObject);
    }
    const page = await client.list(ROLES, { limit: 3 });
    expect(page.items).toHaveLength(3);
    expect(page.items[0]).toMatchObject({ apiVersion: 'sql.example.dev/v1', kind: 'Role' });
    expect((await client.listAll(ROLES, { limit: 3 })).map((it) => it.metadata.name)).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((i) => `r${i}`),
    );
    expect(await client.listAll(ROLES, { namespace: 'other' })).toEqual([]);
    fake.put(PATH, role('r7'));
    fake.compact();
    expect(isExpired(await failureOf(client.list(ROLES, { limit: 3, continue: page.metadata.continue })))).toBe(true);
  });

  it('holds 16 connections at most for calls, reuses them, and keeps watches from starving them', async () => {
    const client = fake.client();
    const stop = new AbortController();
    const watches = Array.from({ length: 20 }, async () => {
      const watch = client.watch(ROLES, { resourceVersion: '1', timeoutSeconds: 60, signal: stop.signal });
      for await (const _ of watch);
    });
    await expect.poll(() => fake.watchers.size).toBe(20);
    await Promise.all(Array.from({ length: 200 }, () => client.list(ROLES)));
    expect(fake.connections).toBeLessThanOrEqual(36);
    stop.abort(new Error('over'));
    for (const watch of watches) await expect(watch).rejects.toThrow('over');
    await expect.poll(() => fake.watchers.size).toBe(0);
  });

  it('waits as Retry-After says when it is turned away, and gives up on a long one', async () => {
    const client = fake.client();
    fake.failNext(1, () => true, 429, {}, { 'retry-after': '1' });
    const started = performance.now();
    await client.list(ROLES);
    expect(performance.now() - started).toBeGreaterThan(990);
    fake.failNext(1, () => true, 429, { details: { retryAfterSeconds: 60 } });
    expect(await failureOf(client.list(ROLES))).toMatchObject({ status: 429, retryAfterSeconds: 60 });
  });

  it('survives a connection that the server closed while it was idle', async () => {
    const client = fake.client();
    await client.list(ROLES);
    fake.disconnect();
    await client.list(ROLES);
  });

  it('repeats a write only when it cannot have been carried out', async () => {
    const client = fake.client();
    fake.intercept((request, response) => {
      if (request.method === 'POST') response.destroy();
      return request.method === 'POST';
    });
    const error = await failureOf(client.create(ROLES, role('reader')));
    expect(error).toMatchObject({ name: 'KubeError', status: 0, reason: 'Unreachable' });
    expect(fake.requests.filter((it) => it.method === 'POST')).toHaveLength(1);
  });

  it('ends at its deadline with a Timeout, and at its signal with the signal’s reason', async () => {
    const client = fake.client();
    fake.intercept(() => true);
    expect(await failureOf(client.list(ROLES, { timeoutMs: 30 }))).toMatchObject({ reason: 'Timeout', status: 0 });
    const stop = new AbortController();
    const call = failureOf(client.list(ROLES, { signal: stop.signal }));
    const why = new Error('stopping');
    stop.abort(why);
    expect(await call).toBe(why);
    expect(await failureOf(client.list(ROLES, { signal: stop.signal }))).toBe(why);
  });

  it('tells a login that fails on our side from a server that does not answer', async () => {
    const config = new PooledKubeConfig();
    const cluster = { name: 'c', server: 'https://127.0.0.1:1', caFile: '/nowhere/ca.crt', skipTLSVerify: false };
    config.loadFromClusterAndUser(cluster, { name: 'u' });
    const noCredentials = await failureOf(new KubeClient(config).list(ROLES));
    expect(noCredentials).toMatchObject({ status: 0, reason: 'NoCredentials' });
    expect(noCredentials.message).toContain('/nowhere/ca.crt');
    const client = fake.client();
    await fake.goDown();
    const away = await failureOf(client.list(ROLES));
    expect(away).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(away.message).toBe('list roles: no answer from the API server (ECONNREFUSED)');
  });

  it('names the call and the server’s message in errors', async () => {
    fake.failNext(1, () => true, 403, { reason: 'Forbidden', message: 'roles is forbidden: no' });
    const error = await failureOf(fake.client().list(ROLES));
    expect(error).toMatchObject({ reason: 'Forbidden', message: 'list roles: roles is forbidden: no' });
  });

  it.each([
    [
      'a validation message that quotes a Secret',
      422,
      { reason: 'Invalid', message: 'data: Invalid value: "hunter2"' },
    ],
    ['a decoding message that quotes a Secret', 400, { reason: 'BadRequest', message: 'cannot decode hunter2' }],
  ])('shows no value of %s', async (_, status, body) => {
    const causes = [{ field: 'data[password]', message: 'hunter2' }];
    fake.failNext(1, () => true, status, { ...body, details: { causes } });
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'app' } };
    const error = await failureOf(fake.client().create(SECRETS, secret));
    expect(JSON.stringify([error, error.message, error.stack])).not.toContain('hunter2');
    expect(error.message).toContain('data[password]');
  });

  it('shows nothing of an answer that is not JSON', async () => {
    fake.intercept((_, response) => {
      response.end('{"data": hunter2');
      return true;
    });
    const error = await failureOf(fake.client().get(SECRETS, { namespace: 'app', name: 's' }));
    expect(error.reason).toBe('InvalidResponse');
    expect(`${error.stack} ${String(error.cause)}`).not.toContain('hunter2');
  });

  it('refuses names that would lead to another resource', async () => {
    const client = fake.client();
    await expect(client.get(LEASES, { namespace: 'app', name: '../../secrets/x' })).rejects.toThrow(TypeError);
    await expect(client.get(LEASES, { name: 'x' })).rejects.toThrow('needs a namespace');
    expect(fake.requests).toEqual([]);
  });
});
