/** A server that is nothing but what a test says is on it, to ask planners what they would do there. */
import type { Managed } from '../api/kind.ts';
import type { DatabaseObserved, SchemaObserved } from './model/databases.ts';
import type { ReadKind, Reads } from './model/reads.ts';
import type { RoleObserved } from './model/roles.ts';
import type { ServerInfo } from './model/server.ts';
import type { Plan, PlanContext, Planner, Reader } from './planner.ts';

export const ours = { uid: 'uid-1', resource: 'team-a/thing' };
export const theirs = { uid: 'uid-2', resource: 'team-b/other' };

export const database = (name: string, more: Partial<DatabaseObserved> = {}): DatabaseObserved => ({
  name,
  owner: 'postgres',
  encoding: 'UTF8',
  collation: 'C.UTF-8',
  characterClassification: 'C.UTF-8',
  localeProvider: 'libc',
  tablespace: 'pg_default',
  allowConnections: true,
  connectionLimit: -1,
  isTemplate: false,
  settings: [],
  ...more,
});

export const schema = (name: string, more: Partial<SchemaObserved> = {}): SchemaObserved => ({
  database: 'orders',
  name,
  owner: 'postgres',
  publicPrivileges: [],
  ...more,
});

export const role = (name: string, more: Partial<RoleObserved> = {}): RoleObserved => ({
  name,
  attributes: {
    superUser: false,
    createDb: false,
    createRole: false,
    login: true,
    inherit: true,
    replication: false,
    bypassRls: false,
  },
  connectionLimit: -1,
  settings: [],
  memberOf: [],
  ...more,
});

/** Answers by kind; what a test does not say is not there. A function is asked with the query. */
export type Answers = { [K in ReadKind]?: (query: Reads[K]['query']) => Reads[K]['result'] } & {
  password?: 'match' | 'mismatch' | 'unknown';
};

const ABSENT: { [K in ReadKind]: () => Reads[K]['result'] } = {
  database: () => undefined,
  schema: () => undefined,
  extension: () => ({ installed: false, available: [] }),
  role: () => undefined,
  grant: () => ({ granteeExists: false, missing: [], objects: [] }),
  membership: () => ({ missing: [], memberships: [] }),
  defaultPrivileges: () => ({ missing: [], privileges: [], inherited: [] }),
  databaseContents: () => ({ empty: true, summary: '' }),
  schemaContents: () => ({ empty: true, summary: '' }),
  roleDependencies: () => ({ owned: [], ownedDatabases: [], databases: [] }),
  namesakes: () => [],
  setting: () => ({ anybodyMaySet: false }),
};

export function server(major = 18, change: Partial<ServerInfo> = {}): ServerInfo {
  return {
    engine: 'postgres',
    product: `PostgreSQL ${major}.1`,
    versionNumber: major * 10_000 + 1,
    major,
    admin: { name: 'admin', superUser: true, createRole: true, createDb: true },
    ...change,
  };
}

export interface Circumstances extends Partial<PlanContext> {
  answers?: Answers;
  server?: ServerInfo;
}

export function contextOf({ answers = {}, server: info = server(), ...change }: Circumstances): PlanContext {
  const reader: Reader = {
    server: info,
    read: <K extends ReadKind>(kind: K, query: Reads[K]['query']) => {
      const answer = (answers[kind] ?? ABSENT[kind]) as (query: Reads[K]['query']) => Reads[K]['result'];
      return Promise.resolve(answer(query));
    },
    checkPassword: () => Promise.resolve(answers.password ?? 'match'),
  };
  return {
    reader,
    externalName: 'orders',
    mark: ours,
    owned: false,
    applied: undefined,
    now: new Date('2026-06-01T12:00:00Z'),
    ...change,
  };
}

const resourceOf = (forProvider: object, initProvider?: object): never =>
  ({ spec: { forProvider, ...(initProvider === undefined ? {} : { initProvider }) } }) as unknown as Managed as never;

/** What the planner would do about a resource with that spec. */
export function plan(
  planner: Planner<never>,
  forProvider: object,
  circumstances: Circumstances = {},
  initProvider?: object,
): Promise<Plan> {
  return planner.plan(resourceOf(forProvider, initProvider), contextOf(circumstances));
}

export function planDelete(
  planner: Planner<never>,
  forProvider: object,
  circumstances: Circumstances = {},
): Promise<Plan> {
  return planner.planDelete(resourceOf(forProvider), contextOf(circumstances));
}
