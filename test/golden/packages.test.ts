/** The packages as Crossplane's own command line builds them, which lints what is in them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { binary } from '../rig/binaries.ts';
import { manifest, ROOT, run } from './crossplane-render.ts';

test.each(['configuration', 'function', 'provider'])('package/%s is one that Crossplane builds', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-package-'));
  onTestFinished(async () => {
    await rm(folder, { recursive: true });
  });
  const cli = await binary('crossplane');
  const file = join(folder, `${name}.xpkg`);
  const { code, stderr } = await run(cli, [
    'xpkg',
    'build',
    `--package-root=${join(ROOT, 'package', name)}`,
    `--examples-root=${join(folder, 'none')}`,
    `--package-file=${file}`,
  ]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('what the Compositions call and what they compose is what the configuration depends on', async () => {
  const { spec } = await manifest<{ spec: { dependsOn: { kind: string; package: string }[] } }>(
    'package/configuration/crossplane.yaml',
  );
  const { spec: example } = await manifest<{ spec: { package: string } }>('examples/functions.yaml');
  const of = (kind: string): string | undefined => spec.dependsOn.find((one) => one.kind === kind)?.package;
  expect(example.package).toBe(`${of('Function')}:v0.1.0`);
  const names = await Promise.all(
    ['provider', 'function'].map(
      async (name) => (await manifest<{ metadata: { name: string } }>(`package/${name}/crossplane.yaml`)).metadata.name,
    ),
  );
  expect(names.map((name) => `ghcr.io/xdatabase/${name}`)).toEqual([of('Provider'), of('Function')]);
});
