/** Our programs as they are shipped. From their sources each would also take a second of a core to start. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, ENTRIES } from '../../package/build.ts';

/** Tells the projects of one run where the programs are that it has built. */
export const PROGRAMS_VARIABLE = 'XDB_TEST_PROGRAMS';

/** Builds each of them alone in a folder below `folder`, where every user may read it. */
export async function buildPrograms(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const own = join(folder, name);
    await mkdir(own, { mode: 0o755 });
    await writeFile(join(own, 'package.json'), '{"type":"module"}');
    await bundle(name, entry, own);
  }
}
