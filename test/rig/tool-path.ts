/** Folders for the PATH that hold the programs of Debian packages under their own names. */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTools, type ToolSetName } from './debian.ts';

const PROGRAMS: Record<ToolSetName, readonly string[]> = {
  'postgresql-18': ['pg_dump', 'pg_restore', 'psql'],
  'mysql-9.7': ['mysqldump', 'mysql'],
  'mariadb-11.8': ['mariadb-dump', 'mariadb'],
  'mariadb-10.11': ['mariadb-dump', 'mariadb'],
};

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * @returns A folder with one script for each program, which replaces itself with the program.
 * @throws NotAvailableError
 */
export async function toolPath(name: ToolSetName): Promise<string> {
  const tools = await debianTools(name);
  const folder = join(tools.folder, '..', 'bin');
  const names: string[] = await readdir(folder).catch(() => []);
  if (PROGRAMS[name].every((program) => names.includes(program))) return folder;
  const draft = await mkdtemp(join(tools.folder, '..', 'bin-'));
  for (const program of PROGRAMS[name]) {
    const { command, args } = tools.command(program);
    const words = [command, ...args].map(quoted).join(' ');
    await writeFile(join(draft, program), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  }
  await mkdir(folder, { recursive: true });
  // Each appears whole, whoever else makes it at the same time.
  for (const program of PROGRAMS[name]) await rename(join(draft, program), join(folder, program));
  await rm(draft, { recursive: true, force: true });
  return folder;
}
