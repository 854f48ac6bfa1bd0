import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PooledKubeConfig, podNamespace } from './config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function kubeconfig(server: string, caFile?: string): Promise<string> {
  const cluster = { server, ...(caFile === undefined ? {} : { 'certificate-authority': caFile }) };
  const file = join(folder, `${new URL(server).hostname}.yaml`);
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'a-token' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  return file;
}

describe('PooledKubeConfig', () => {
  it('prefers --kubeconfig to $KUBECONFIG', async () => {
    const flag = await kubeconfig('https://flag:6443/');
    const env = { KUBECONFIG: await kubeconfig('https://env:6443') };
    const access = await PooledKubeConfig.load({ kubeconfig: flag, env }).access('call');
    expect(access.server).toBe('https://flag:6443');
    expect(access.headers).toMatchObject({ Authorization: 'Bearer a-token' });
  });

  it('takes $KUBECONFIG, else ~/.kube/config, and says so when there is neither', async () => {
    const env = { KUBECONFIG: await kubeconfig('https://env:6443'), HOME: folder };
    expect(PooledKubeConfig.load({ env }).getCurrentCluster()?.server).toBe('https://env:6443');
    expect(() => PooledKubeConfig.load({ env: { HOME: folder } })).toThrow('no cluster is configured');
    await mkdir(join(folder, '.kube'));
    await copyFile(await kubeconfig('https://home:6443'), join(folder, '.kube', 'config'));
    expect(PooledKubeConfig.load({ env: { HOME: folder } }).getCurrentCluster()?.server).toBe('https://home:6443');
  });

  it('says which file it cannot read', () => {
    expect(() => PooledKubeConfig.load({ kubeconfig: join(folder, 'none.yaml') })).toThrow('none.yaml');
  });

  it('shares connections until the CA changes, and keeps watches apart from calls', async () => {
    const ca = join(folder, 'ca.crt');
    await writeFile(ca, 'one');
    const config = PooledKubeConfig.load({ kubeconfig: await kubeconfig('https://server:6443', ca) });
    const first = await config.access('call');
    expect((await config.access('call')).dispatcher).toBe(first.dispatcher);
    const watch = await config.access('watch');
    expect(watch.dispatcher).not.toBe(first.dispatcher);
    await writeFile(ca, 'two');
    const second = await config.access('call');
    expect(second.dispatcher).not.toBe(first.dispatcher);
    expect((await config.access('watch')).dispatcher).not.toBe(watch.dispatcher);
    expect((await config.access('call')).dispatcher).toBe(second.dispatcher);
    await config.close();
  });

  it('knows the pod’s namespace', () => {
    expect(podNamespace('fallback', { POD_NAMESPACE: 'system' })).toBe('system');
    expect(podNamespace('fallback', {})).toBe('fallback');
  });
});
