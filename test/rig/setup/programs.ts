import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundle, ENTRIES } from '../../../package/build.ts';

/** Our programs as they are shipped. From their sources each would also take a second of a core to start. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-programs-'));
  await chmod(folder, 0o755);
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const own = join(folder, name);
    await mkdir(own, { mode: 0o755 });
    await writeFile(join(own, 'package.json'), '{"type":"module"}');
    await bundle(name, entry, own);
  }
  project.provide('programs', folder);
  return async () => await rm(folder, { recursive: true, force: true });
}
