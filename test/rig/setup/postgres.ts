import type { TestProject } from 'vitest/node';
import { MAJORS_VARIABLE, majorsOfProject } from '../majors.ts';
import { startPostgres } from '../postgres.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const majors = majorsOfProject(project.config.env[MAJORS_VARIABLE]);
  const servers = await Promise.all(majors.map(async (major) => [major, await startPostgres({ major })] as const));
  project.provide('postgres', Object.fromEntries(servers.map(([major, { address }]) => [major, address])));
  return async () => {
    await Promise.all(servers.map(([, server]) => server.stop()));
  };
}
