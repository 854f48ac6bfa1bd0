/** Resources on a real server, reconciled by their planners and the engine as they would be, without a cluster. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { planners } from '../../provider/controllers/planners.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import type { Step } from '../../provider/resources/model.ts';
import type { Plan, PlanContext, Reader } from '../../provider/resources/planner.ts';
import { Secret } from '../../provider/resources/secret.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { type PostgresMajor, sharedPostgres } from '../rig/servers.ts';

export class ManagedServer {
  /** What names of this test begin with. */
  readonly prefix = `m${randomBytes(4).toString('hex')}`;
  readonly server: PostgresClient;
  readonly engine: PostgresEngine;

  constructor(major: PostgresMajor) {
    this.server = sharedPostgres(major);
    this.engine = new PostgresEngine({
      engine: 'postgres',
      host: this.server.host,
      port: this.server.port,
      username: this.server.adminUser,
      password: new Secret(this.server.password),
      database: 'postgres',
      tls: { mode: 'disable' },
      connectionLimit: 4,
    });
  }

  async reader(): Promise<Reader> {
    const { engine } = this;
    return {
      server: await engine.info(),
      read: async (kind, query) => (await engine.read(kind, [query]))[0]!,
      checkPassword: async (name, host, password) => await engine.checkPassword(name, host, password),
    };
  }

  /** Ends the sessions and takes away whatever a failed test left. */
  async close(): Promise<void> {
    await this.engine.close();
    const databases = await this.server.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [this.prefix],
    );
    for (const { name } of databases) {
      await this.server.query(`ALTER DATABASE "${name}" IS_TEMPLATE false`);
      await this.server.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    }
    const roles = await this.server.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, $1)',
      [this.prefix],
    );
    for (const { name } of roles) await this.server.query(`DROP ROLE "${name}"`);
  }
}

/** One managed resource: it remembers what it applied, as its annotations do. */
export class ManagedResource {
  readonly #on: ManagedServer;
  readonly #kind: string;
  readonly name: string;
  readonly #mark = { uid: randomBytes(8).toString('hex'), resource: 'team-a/one' };
  password: Secret | undefined;
  #owned = false;
  #applied: unknown;
  #spec: object;

  constructor(on: ManagedServer, kind: string, name: string, forProvider: object) {
    this.#on = on;
    this.#kind = kind;
    this.name = name;
    this.#spec = forProvider;
  }

  edit(forProvider: object): void {
    this.#spec = forProvider;
  }

  async #ask(what: 'plan' | 'planDelete'): Promise<Plan> {
    const planner = planners.get(this.#kind)!;
    const spec = planner.kind.spec.parse({ forProvider: this.#spec, providerConfigRef: { name: 'x' } });
    const resource = { metadata: { name: this.name, namespace: 'team-a' }, spec } as never;
    const context: PlanContext = {
      reader: await this.#on.reader(),
      externalName: this.name,
      mark: this.#mark,
      owned: this.#owned,
      applied: this.#applied,
      now: new Date(),
      ...(this.password === undefined ? {} : { password: { value: this.password, generated: true } }),
    };
    return await planner[what](resource, context);
  }

  async plan(): Promise<Plan> {
    return await this.#ask('plan');
  }

  /** Plans, applies, and proves that nothing is left to do. Gives the kinds of steps that it took. */
  async converge(): Promise<Step['kind'][]> {
    const plan = await this.plan();
    await this.#on.engine.run(plan.steps);
    this.#owned = true;
    this.#applied = JSON.parse(JSON.stringify(plan.applied ?? null)) ?? undefined;
    const second = await this.plan();
    expect(second).toMatchObject({ exists: true, steps: [], unchangeable: [] });
    expect(second.unready).toBeUndefined();
    this.#applied = second.applied;
    return plan.steps.map(({ kind }) => kind);
  }

  /** Deletes until nothing of ours is left, and gives the plan that said so. */
  async remove(): Promise<Plan> {
    const plan = await this.#ask('planDelete');
    if (plan.steps.length === 0) return plan;
    await this.#on.engine.run(plan.steps);
    return await this.#ask('planDelete');
  }
}
