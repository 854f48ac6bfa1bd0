import type { TestProject } from 'vitest/node';
import { startS3 } from '../s3.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startS3();
  project.provide('s3', server.address);
  return () => server.stop();
}
