import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildPrograms, PROGRAMS_VARIABLE } from '../programs.ts';

/** Those that `npm test` has built for all projects, or our own. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const built = process.env[PROGRAMS_VARIABLE];
  if (built) {
    project.provide('programs', built);
    return async () => {};
  }
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-programs-'));
  await buildPrograms(folder);
  project.provide('programs', folder);
  return async () => await rm(folder, { recursive: true, force: true });
}
