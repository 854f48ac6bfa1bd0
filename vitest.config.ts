import { defineConfig } from 'vitest/config';
import { MAJORS_VARIABLE } from './test/rig/majors.ts';
import { WORKERS_VARIABLE, workersOf } from './test/rig/lanes.ts';
import { projects } from './test/rig/projects.ts';
import { LongFirst } from './test/rig/sequencer.ts';

/**
 * Each project's set-up starts the servers that it needs once, on ports of its own; tests ask test/rig/servers.ts for them.
 * `npm test` says which run beside which others.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: projects.map(({ name, include, seconds, setup, needs, shares }) => ({
      test: {
        name,
        include: [include],
        env: needs.postgres.length > 0 ? { [MAJORS_VARIABLE]: needs.postgres.join(',') } : {},
        isolate: shares !== true,
        globalSetup: setup.map((file) => `./test/rig/setup/${file}.ts`),
        testTimeout: seconds * 1000,
        hookTimeout: seconds * 1000,
        // What is waited for comes at once, or, on a machine that is busy, later than in the second that vitest waits.
        expect: { poll: { timeout: 20_000 } },
        maxWorkers: workersOf(process.env[WORKERS_VARIABLE]),
      },
    })),
  },
});
