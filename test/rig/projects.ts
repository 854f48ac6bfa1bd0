/** The test projects in the order of their cost; vitest.config.ts and `npm test` are both made from this list. */
import type { BinaryName } from './binaries.ts';
import { otherMajors, type PostgresMajor, usualMajors } from './majors.ts';

export interface Project {
  name: string;
  include: string;
  /** How long one test or hook may take. */
  seconds: number;
  /** Files in test/rig/setup, which start the servers that the project's tests share. */
  setup: readonly string[];
  needs: { binaries: readonly BinaryName[]; postgres: readonly PostgresMajor[]; mysql?: true; backupTools?: true };
  /** Left out of `npm test`, unless it is asked for or CI=true. */
  onRequest?: boolean;
  /** Its files touch nothing but what they import, so one process loads that once for many of them. */
  shares?: true;
  /** Its tests wait most of the time, so the others run beside it. */
  waits?: true;
}

const cluster = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const;

export const projects: readonly Project[] = [
  {
    name: 'unit',
    include: '{function,provider,package,test/tenancy,test/structure}/**/*.test.ts',
    seconds: 60,
    setup: [],
    needs: { binaries: [], postgres: [] },
    shares: true,
  },
  {
    name: 'golden',
    include: 'test/golden/**/*.test.ts',
    seconds: 120,
    setup: [],
    needs: {
      binaries: ['crossplane-core', 'crossplane', 'function-patch-and-transform', 'function-auto-ready'],
      postgres: [],
    },
  },
  {
    name: 'rig',
    include: 'test/rig/**/*.test.ts',
    seconds: 120,
    setup: [],
    needs: { binaries: [...cluster, 'crossplane-core'], postgres: usualMajors },
  },
  {
    name: 'postgres',
    include: 'test/postgres/**/*.test.ts',
    seconds: 60,
    setup: ['postgres', 'programs'],
    needs: { binaries: [], postgres: usualMajors },
  },
  {
    name: 'mysql',
    include: 'test/mysql/**/*.test.ts',
    seconds: 60,
    setup: ['mysql', 'programs'],
    needs: { binaries: [], postgres: [], mysql: true },
  },
  {
    name: 'backup',
    include: 'test/backup/**/*.test.ts',
    seconds: 120,
    setup: ['postgres', 'mysql', 's3', 'programs'],
    needs: {
      binaries: ['versitygw', 'age', 'age-keygen'],
      postgres: usualMajors,
      mysql: true,
      backupTools: true,
    },
  },
  {
    name: 'cockroachdb',
    include: 'test/cockroachdb/**/*.test.ts',
    seconds: 60,
    setup: [],
    needs: { binaries: [], postgres: usualMajors },
  },
  {
    name: 'kubernetes',
    include: 'test/kubernetes/**/*.test.ts',
    seconds: 120,
    setup: ['kubernetes'],
    needs: { binaries: cluster, postgres: [] },
  },
  {
    name: 'matrix',
    include: 'test/postgres/**/*.test.ts',
    seconds: 60,
    setup: ['postgres', 'programs'],
    needs: { binaries: [], postgres: otherMajors },
    onRequest: true,
  },
  {
    name: 'e2e',
    include: 'test/e2e/**/*.test.ts',
    seconds: 300,
    waits: true,
    setup: ['postgres', 'programs'],
    needs: {
      binaries: [...cluster, 'crossplane-core', 'crossplane', 'versitygw', 'age-keygen'],
      postgres: usualMajors,
      mysql: true,
      backupTools: true,
    },
  },
];
