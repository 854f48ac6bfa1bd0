import type { TestProject } from 'vitest/node';
import { startPostgres } from '../postgres.ts';
import { postgresMajors } from '../servers.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const [oldest, newest] = postgresMajors;
  const servers = await Promise.all([startPostgres({ major: oldest }), startPostgres({ major: newest })]);
  project.provide('postgres', { [oldest]: servers[0].address, [newest]: servers[1].address });
  return async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
}
