import { defineConfig } from 'vitest/config';
import { MAJORS_VARIABLE } from './test/rig/majors.ts';
import { projects } from './test/rig/projects.ts';
import { LongFirst } from './test/rig/sequencer.ts';

/**
 * Each project's set-up starts the servers that it needs once, on ports of its own; tests ask test/rig/servers.ts for them.
 * `npm test` runs the projects one after another.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: projects.map(({ name, include, seconds, setup, needs }) => ({
      test: {
        name,
        include: [include],
        env: needs.postgres.length > 0 ? { [MAJORS_VARIABLE]: needs.postgres.join(',') } : {},
        globalSetup: setup.map((file) => `./test/rig/setup/${file}.ts`),
        testTimeout: seconds * 1000,
        hookTimeout: seconds * 1000,
        // Two cores are what a small build machine has, and the servers need theirs.
        maxWorkers: 2,
      },
    })),
  },
});
