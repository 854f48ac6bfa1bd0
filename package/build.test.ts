import { spawnSync } from 'node:child_process';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { NODE_FLAGS, RUN_FLAGS } from '../provider/common/node-flags.ts';
import { bundle, ENTRIES } from './build.ts';

// A bundle is made anew in each test.
vi.setConfig({ testTimeout: 120_000 });

test('every process has a bundle, and every bundle a process', async () => {
  const found: string[] = [];
  const cwd = resolve(import.meta.dirname, '..');
  for await (const path of glob('{function,provider}/**/main.ts', { cwd })) found.push(path);
  expect(Object.values(ENTRIES).toSorted()).toEqual(found.toSorted());
});

test.each([
  ['provider', NODE_FLAGS],
  ['runner', RUN_FLAGS],
])('the image starts the %s with the flags that are measured', async (name, flags) => {
  const text = await readFile(resolve(import.meta.dirname, '../Dockerfile'), 'utf8');
  expect(text).toContain(JSON.stringify(['node', ...flags, `/app/${name}.js`]).replaceAll(',', ', '));
});

test('the provider is one file that runs alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-build-'));
  onTestFinished(async () => {
    await rm(folder, { recursive: true });
  });
  const file = await bundle('provider', 'provider/main.ts', folder);
  const { status, stderr, stdout } = spawnSync(process.execPath, [file, '--kubeconfig', join(folder, 'none')], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(status).not.toBe(0);
  expect(stdout + stderr).toContain(join(folder, 'none'));
});

test('the function is one file that runs alone, without a client of Kubernetes in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-build-'));
  onTestFinished(async () => {
    await rm(folder, { recursive: true });
  });
  const file = await bundle('function', 'function/main.ts', folder);
  const { status, stdout } = spawnSync(process.execPath, [file, '--help'], { cwd: folder, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toContain('--tls-server-certs-dir');
});

describe('an older Node', () => {
  let file = '';
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'xdatabase-build-'));
    file = await bundle('xdb', 'provider/cli/main.ts', folder);
    return async () => {
      await rm(folder, { recursive: true });
    };
  });

  test('can read a bundle: nothing is imported before it says what it needs', async () => {
    const { metafile } = await build({
      entryPoints: [file],
      bundle: true,
      platform: 'node',
      format: 'esm',
      metafile: true,
      write: false,
    });
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
    const before = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
    expect(before).toEqual(['node:module']);
  });

  test('is told which Node it takes', () => {
    const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";
    const { status, stderr } = spawnSync(process.execPath, ['--import', old, file, '--help'], { encoding: 'utf8' });
    expect(stderr).toBe('xdb needs Node 24 or newer; this is Node 20.1.0.\n');
    expect(status).toBe(1);
  });
});

test('a bundle that holds what it must not is refused by name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-build-'));
  onTestFinished(async () => {
    await rm(folder, { recursive: true });
  });
  await expect(bundle('function', 'provider/runtime/kube/client.ts', folder)).rejects.toThrow(
    /dist\/function\.js must not hold provider\/runtime/,
  );
});
