import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['{function,provider,package}/**/*.test.ts'], testTimeout: 20_000 } },
    ],
  },
});
