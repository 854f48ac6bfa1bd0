/** The rooms of the product from the bottom up, and which rooms below each may import: docs/architecture.md in code. */

/** A file belongs to the innermost room that it is in. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'provider/common': [],
  'provider/api': ['provider/common'],
  /** Only clock, log and rate: what every room of the runtime needs. */
  'provider/runtime': [],
  'provider/runtime/kube': ['provider/api', 'provider/runtime'],
  'provider/runtime/queue': ['provider/runtime'],
  'provider/runtime/managed': ['provider/api', 'provider/common', 'provider/runtime/kube'],
  'provider/runtime/telemetry': [
    'provider/api',
    'provider/runtime',
    'provider/runtime/managed',
    'provider/runtime/queue',
  ],
  'provider/resources': ['provider/api', 'provider/common'],
  'provider/engines': ['provider/common', 'provider/api', 'provider/resources'],
  'provider/backup': ['provider/api', 'provider/common', 'provider/engines'],
  'provider/runner': ['provider/backup'],
  'provider/controllers/objects': [
    'provider/api',
    'provider/common',
    'provider/runtime/kube',
    'provider/runtime/managed',
  ],
  'provider/controllers/tenancy': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/runtime/kube',
    'provider/runtime/managed',
    'provider/controllers/objects',
  ],
  'provider/controllers/servers': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/engines',
    'provider/runtime/kube',
    'provider/runtime/managed',
    'provider/controllers/objects',
  ],
  'provider/controllers/sql': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/engines',
    'provider/runtime/managed',
    'provider/controllers/tenancy',
    'provider/controllers/servers',
  ],
  'provider/controllers/jobs': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/engines',
    'provider/backup',
    'provider/runtime',
    'provider/runtime/kube',
    'provider/runtime/managed',
    'provider/controllers/objects',
    'provider/controllers/tenancy',
    'provider/controllers/servers',
    'provider/controllers/sql',
  ],
  'provider/controllers/native': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/engines',
    'provider/backup',
    'provider/runtime/managed',
    'provider/controllers/servers',
    'provider/controllers/jobs',
  ],
  'provider/controllers': [
    'provider/api',
    'provider/runtime',
    'provider/runtime/kube',
    'provider/runtime/managed',
    'provider/runtime/queue',
    'provider/controllers/objects',
    'provider/controllers/tenancy',
    'provider/controllers/servers',
    'provider/controllers/sql',
    'provider/controllers/jobs',
    'provider/controllers/native',
  ],
  'provider/local': [
    'provider/api',
    'provider/common',
    'provider/resources',
    'provider/engines',
    'provider/backup',
    'provider/runtime/managed',
    'provider/controllers/servers',
    'provider/controllers/sql',
  ],
  function: ['provider/common', 'provider/api'],
  /** Gets what the packages are built with. */
  'test/rig': [],
  'provider/cli': [
    'provider/api',
    'provider/engines',
    'provider/backup',
    'provider/runner',
    'provider/runtime/kube',
    'provider/runtime/managed',
    'provider/local',
    'function',
  ],
  /** The process: flags and wiring. */
  provider: [
    'provider/api',
    'provider/common',
    'provider/engines',
    'provider/runtime',
    'provider/runtime/kube',
    'provider/runtime/telemetry',
    'provider/controllers/jobs',
    'provider/controllers/servers',
    'provider/controllers',
  ],
  package: ['provider/common', 'provider/api', 'function', 'test/rig'],
};

/** Packages that only some rooms may know. */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  pg: ['provider/engines'],
  mysql2: ['provider/engines'],
  '@kubernetes/client-node': ['provider/runtime/kube'],
  undici: ['provider/runtime/kube', 'provider/backup'],
  pino: ['provider/runtime', 'function'],
  'prom-client': ['provider/runtime/telemetry', 'provider/controllers/jobs', 'provider/controllers/servers'],
  '@aws-sdk/client-s3': ['provider/backup'],
  'age-encryption': ['provider/backup'],
  '@grpc/grpc-js': ['function', 'provider/local'],
  '@crossplane-org/function-sdk-typescript': ['function', 'provider/local'],
  commander: ['provider/cli'],
};

/** The room that a file, or an imported path, is in. */
export const roomOf = (file: string): string | undefined =>
  Object.keys(LAYERS)
    .toSorted((a, b) => b.length - a.length)
    .find((room) => file.startsWith(`${room}/`));
