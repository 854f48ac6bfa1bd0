/**
 * A view of the server as it will be once earlier plans have run, so that `xdb plan` can print the SQL of a whole
 * claim for a server that has none of it yet. It only ever adds what an earlier plan creates.
 */
import { roleReference } from '../api/role.ts';
import type { Secret } from '../common/secret.ts';
import { privilegeTables } from '../engines/registry.ts';
import type { DatabaseObserved, SchemaObserved } from '../resources/model/databases.ts';
import type { ObjectTarget } from '../resources/model/objects.ts';
import type { GrantObserved, GrantQuery } from '../resources/model/privileges.ts';
import type { ReadKind, Reads } from '../resources/model/reads.ts';
import type { RoleObserved } from '../resources/model/roles.ts';
import type { Step } from '../resources/model/steps.ts';
import type { Reader } from '../resources/planner.ts';

/** What plans made so far will have created. */
export class PlannedObjects {
  readonly databases = new Map<string, DatabaseObserved>();
  readonly schemas = new Map<string, SchemaObserved>();
  readonly roles = new Map<string, RoleObserved>();

  add(steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.kind === 'createDatabase') this.databases.set(step.name, plannedDatabase(step));
      if (step.kind === 'createSchema') this.schemas.set(`${step.database}/${step.name}`, plannedSchema(step));
      if (step.kind === 'createRole')
        this.roles.set(roleReference(step.name, step.host), {
          name: step.name,
          attributes: step.attributes,
          settings: [],
          memberOf: [],
        });
    }
  }
}

const plannedDatabase = (step: Extract<Step, { kind: 'createDatabase' }>): DatabaseObserved => ({
  name: step.name,
  owner: step.owner ?? '',
  encoding: step.encoding ?? '',
  collation: step.collation ?? '',
});

const plannedSchema = (step: Extract<Step, { kind: 'createSchema' }>): SchemaObserved => ({
  database: step.database,
  name: step.name,
  owner: step.owner ?? '',
  publicPrivileges: [],
});

type Answer<K extends ReadKind> = Promise<Reads[K]['result']>;

export class PlanningReader implements Reader {
  readonly #reader: Reader;
  readonly #planned: PlannedObjects;

  constructor(reader: Reader, planned: PlannedObjects) {
    this.#reader = reader;
    this.#planned = planned;
  }

  get server() {
    return this.#reader.server;
  }

  async checkPassword(name: string, host: string | undefined, password: Secret) {
    return this.#planned.roles.has(roleReference(name, host))
      ? 'match'
      : await this.#reader.checkPassword(name, host, password);
  }

  async read<K extends ReadKind>(kind: K, query: Reads[K]['query']): Answer<K> {
    const answer = await this.#answer(kind, query);
    return answer as Reads[K]['result'];
  }

  async #answer(kind: ReadKind, query: unknown): Promise<unknown> {
    switch (kind) {
      case 'database': {
        const { name } = query as Reads['database']['query'];
        return this.#planned.databases.get(name) ?? (await this.#reader.read('database', { name }));
      }
      case 'role': {
        const asked = query as Reads['role']['query'];
        return (
          this.#planned.roles.get(roleReference(asked.name, asked.host)) ?? (await this.#reader.read('role', asked))
        );
      }
      case 'setting':
        return await this.#reader.read('setting', query as Reads['setting']['query']);
      case 'schema':
        return await this.#schema(query as Reads['schema']['query']);
      case 'extension': {
        const asked = query as Reads['extension']['query'];
        return this.#planned.databases.has(asked.database)
          ? { installed: false, available: [] }
          : await this.#reader.read('extension', asked);
      }
      case 'grant':
        return await this.#grant(query as GrantQuery);
      case 'membership': {
        const asked = query as Reads['membership']['query'];
        return this.#planned.roles.has(asked.role) || this.#planned.roles.has(asked.memberOf)
          ? { missing: [], memberships: [] }
          : await this.#reader.read('membership', asked);
      }
      case 'defaultPrivileges': {
        const asked = query as Reads['defaultPrivileges']['query'];
        const isNew =
          this.#planned.databases.has(asked.database) ||
          this.#planned.roles.has(asked.creator) ||
          (!asked.grantee.public && this.#isPlannedRole(asked.grantee)) ||
          (asked.schema !== undefined && this.#planned.schemas.has(`${asked.database}/${asked.schema}`));
        return isNew
          ? { missing: [], privileges: [], inherited: [] }
          : await this.#reader.read('defaultPrivileges', asked);
      }
      case 'databaseContents':
      case 'schemaContents':
      case 'roleDependencies':
      case 'namesakes':
        return await this.#reader.read(kind, query as never);
    }
  }

  async #schema(asked: Reads['schema']['query']): Promise<SchemaObserved | undefined> {
    const planned = this.#planned.schemas.get(`${asked.database}/${asked.name}`);
    if (planned !== undefined) return planned;
    if (!this.#planned.databases.has(asked.database)) return await this.#reader.read('schema', asked);
    const given = asked.name === 'public' ? this.#publicSchema() : undefined;
    return given === undefined ? undefined : { database: asked.database, name: 'public', ...given };
  }

  async #grant(asked: GrantQuery): Promise<GrantObserved> {
    const isPlanned = (target: ObjectTarget): boolean =>
      this.#planned.databases.has(target.database ?? '') ||
      this.#planned.schemas.has(`${target.database ?? ''}/${target.schema ?? ''}`);
    const fresh = asked.targets.filter(isPlanned);
    const existing = asked.targets.filter((target) => !isPlanned(target));
    const objects = fresh
      .filter((target) => target.name !== '*')
      .map((target) => ({ target, owner: this.#ownerOf(target), privileges: this.#initial(target, asked) }));
    if (existing.length === 0) return { granteeExists: true, missing: [], objects };
    const isNewGrantee = !asked.grantee.public && this.#isPlannedRole(asked.grantee);
    // A role that is still to be made holds nothing; the objects are found by asking for anybody else.
    const observed = await this.#reader.read('grant', {
      grantee: isNewGrantee ? { public: true } : asked.grantee,
      targets: existing,
    });
    return {
      granteeExists: isNewGrantee || observed.granteeExists,
      missing: observed.missing,
      objects: [...objects, ...observed.objects.map((o) => (isNewGrantee ? { ...o, privileges: [] } : o))],
    };
  }

  #isPlannedRole({ name, host }: { name: string; host?: string }): boolean {
    return this.#planned.roles.has(roleReference(name, host));
  }

  #publicSchema() {
    return privilegeTables[this.server.engine]?.publicSchema?.(this.server);
  }

  #ownerOf(target: ObjectTarget): string {
    if (target.type === 'database') return this.#planned.databases.get(target.database ?? '')?.owner ?? '';
    return this.#planned.schemas.get(`${target.database ?? ''}/${target.schema ?? ''}`)?.owner ?? '';
  }

  /** What PUBLIC holds on a new object by the server's defaults. */
  #initial(target: ObjectTarget, asked: GrantQuery): { privilege: string; grantable: boolean; grantor: string }[] {
    if (!asked.grantee.public) return [];
    const grantor = this.#ownerOf(target);
    const isPublicSchema = target.type === 'schema' && target.schema === 'public';
    const privileges = isPublicSchema
      ? (this.#publicSchema()?.publicPrivileges ?? [])
      : (privilegeTables[this.server.engine]?.objects[target.type]?.publicByDefault ?? []);
    return privileges.map((privilege) => ({ privilege, grantable: false, grantor }));
  }
}
