import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/**
 * The projects in the order of their cost. Each project's set-up starts the servers that it needs once, on ports of its own;
 * tests ask test/rig/servers.ts for them. `npm test` runs the projects one after another.
 */
function project(
  name: string,
  include: string,
  seconds: number,
  globalSetup: readonly string[] = [],
): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      include: [include],
      globalSetup: globalSetup.map((file) => `./test/rig/setup/${file}.ts`),
      testTimeout: seconds * 1000,
      hookTimeout: seconds * 1000,
      // Two cores are what a small build machine has, and the servers need theirs.
      maxWorkers: 2,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project('unit', '{function,provider,package}/**/*.test.ts', 20),
      project('rig', 'test/rig/**/*.test.ts', 120),
      project('golden', 'test/golden/**/*.test.ts', 120),
      project('postgres', 'test/postgres/**/*.test.ts', 60, ['postgres']),
      project('kubernetes', 'test/kubernetes/**/*.test.ts', 120, ['kubernetes']),
      project('e2e', 'test/e2e/**/*.test.ts', 300, ['postgres', 'crossplane']),
    ],
  },
});
