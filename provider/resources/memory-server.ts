/** For unit tests of planners: a server that is a few plain objects, and what one resource asks of it. */
import type { ServerInfo } from '../engines/engine.ts';
import type {
  Contents,
  DatabaseObserved,
  ExtensionObserved,
  Mark,
  ReadKind,
  Reads,
  RoleDependencies,
  RoleObserved,
  SchemaObserved,
} from './model.ts';
import type { Plan, PlanContext, Planner, Reader } from './planner.ts';
import type { Secret } from './secret.ts';

export const OURS: Mark = { uid: 'uid-1', resource: 'Kind team-a/ours' };
export const THEIRS: Mark = { uid: 'uid-2', resource: 'Kind team-b/theirs' };

export class MemoryServer implements Reader {
  server: ServerInfo = {
    engine: 'postgres',
    product: 'PostgreSQL 18.4',
    versionNumber: 180_004,
    major: 18,
    admin: { name: 'admin', superUser: true, createRole: true, createDb: true },
  };
  databases: DatabaseObserved[] = [];
  schemas: SchemaObserved[] = [];
  extensions: ExtensionObserved[] = [];
  roles: RoleObserved[] = [];
  /** Versions that the server offers, by name of the extension. */
  offered: Record<string, string[]> = {};
  contents: Contents = { empty: true, summary: '' };
  dependencies: RoleDependencies = { owned: [], databases: [] };
  password: 'match' | 'mismatch' | 'unknown' = 'match';
  passwordChecks = 0;

  ofMajor(major: number): this {
    this.server = { ...this.server, major, versionNumber: major * 10_000, product: `PostgreSQL ${major}.0` };
    return this;
  }

  database(name: string, more: Partial<DatabaseObserved> = {}): this {
    const plain = { owner: 'admin', encoding: 'UTF8', collation: 'C', allowConnections: true, connectionLimit: -1 };
    this.databases.push({ name, ...plain, isTemplate: false, settings: [], ...more });
    return this;
  }

  role(name: string, more: Partial<RoleObserved> = {}): this {
    const attributes = { superUser: false, createDb: false, createRole: false, login: true, inherit: true };
    this.roles.push({
      name,
      attributes: { ...attributes, replication: false, bypassRls: false },
      settings: [],
      memberOf: [],
      ...more,
    });
    return this;
  }

  schema(database: string, name: string, more: Partial<SchemaObserved> = {}): this {
    this.schemas.push({ database, name, owner: 'admin', publicPrivileges: [], ...more });
    return this;
  }

  extension(database: string, name: string, more: Partial<ExtensionObserved> = {}): this {
    const available = this.offered[name] ?? [];
    this.extensions.push({ database, name, version: '1.0', schema: 'public', available, ...more });
    return this;
  }

  // oxlint-disable-next-line require-await
  async read<K extends ReadKind>(kind: K, query: Reads[K]['query']): Promise<Reads[K]['result']> {
    const { name, database } = query as { name: string; database?: string };
    const isIt = (item: { name: string; database?: string }): boolean =>
      item.name === name && item.database === database;
    const answers: Partial<{ [Kind in ReadKind]: () => Reads[Kind]['result'] }> = {
      database: () => this.databases.find(isIt),
      schema: () => this.schemas.find(isIt),
      extension: () => this.extensions.find(isIt) ?? { installed: false, available: this.offered[name] ?? [] },
      role: () => this.roles.find((role) => role.name === name),
      membership: () => ({ missing: [], memberships: [] }),
      databaseContents: () => this.contents,
      schemaContents: () => this.contents,
      roleDependencies: () => this.dependencies,
    };
    const answer = answers[kind];
    if (answer === undefined) throw new Error(`no answer to ${kind}`);
    return answer();
  }

  // oxlint-disable-next-line require-await
  async checkPassword(_name: string, _host: string | undefined, _password: Secret): Promise<MemoryServer['password']> {
    this.passwordChecks += 1;
    return this.password;
  }
}

export type Ask = Partial<Pick<PlanContext, 'owned' | 'applied' | 'password'>>;

/** A resource with defaults filled in by its schema, as the API server does, and its plans on `server`. */
export function resourceOf(planner: Planner, externalName: string, forProvider: object) {
  const spec = planner.kind.spec.parse({ forProvider, providerConfigRef: { name: 'x' } });
  const resource = { metadata: { name: externalName, namespace: 'team-a' }, spec } as never;
  const contextOf = (reader: Reader, { owned = true, ...ask }: Ask = {}): PlanContext => ({
    reader,
    externalName,
    mark: OURS,
    owned,
    applied: undefined,
    now: new Date('2030-01-01T00:00:00Z'),
    ...ask,
  });
  return {
    plan: async (server: Reader, ask?: Ask): Promise<Plan> => await planner.plan(resource, contextOf(server, ask)),
    planDelete: async (server: Reader, ask?: Ask): Promise<Plan> =>
      await planner.planDelete(resource, contextOf(server, ask)),
  };
}
