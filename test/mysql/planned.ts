/** Databases and roles that are planned and made on a shared MySQL or MariaDB server, as the provider would. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Managed } from '../../provider/api/kind.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { DatabasePlanner } from '../../provider/resources/database.ts';
import type { ReadKind, Reads, Step } from '../../provider/resources/model.ts';
import type { Plan, PlanContext, Planner, Reader } from '../../provider/resources/planner.ts';
import { RolePlanner } from '../../provider/resources/role.ts';
import { Secret } from '../../provider/resources/secret.ts';
import type { MysqlClient } from '../rig/mysql-client.ts';
import { type MysqlServerName, mysqlServers, sharedMysql } from '../rig/servers.ts';

export const servers = mysqlServers;

/** For statements that a test writes itself. */
export const name = (text: string): string => `\`${text.replaceAll('`', '``')}\``;
export const text = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export class Place {
  readonly server: MysqlClient;
  readonly engine: MysqlEngine;
  readonly #id = randomBytes(4).toString('hex');

  constructor(server: MysqlServerName | MysqlClient) {
    this.server = typeof server === 'string' ? sharedMysql(server) : server;
    this.engine = this.engineAs(this.server.adminUser, this.server.password);
  }

  /** Another administrator's engine, for the test to close. */
  engineAs(username: string, password: string): MysqlEngine {
    const { host, port, flavour } = this.server;
    const secret = new Secret(password);
    return new MysqlEngine(
      {
        engine: flavour,
        host,
        port,
        username,
        password: secret,
        database: '',
        tls: { mode: 'disable' },
        connectionLimit: 3,
      },
      flavour,
    );
  }

  get isMariadb(): boolean {
    return this.server.flavour === 'mariadb';
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of} ${this.#id}`;
  }

  /** As the administrator, but in a session that the engine knows nothing of. */
  async sql<Row extends object = Record<string, unknown>>(statement: string): Promise<Row[]> {
    return await this.server.query<Row>(statement);
  }

  async loggedIn(user: string, password: string): Promise<string> {
    const [row] = await this.server.queryAs<{ who: string }>({ name: user, password }, 'SELECT CURRENT_USER() AS who');
    return row?.who ?? '';
  }

  async reader(): Promise<Reader> {
    const { engine } = this;
    return {
      server: await engine.info(),
      read: async <K extends ReadKind>(kind: K, query: Reads[K]['query']) => (await engine.read(kind, [query]))[0]!,
      checkPassword: async (user, host, password) => await engine.checkPassword(user, host, password),
    };
  }

  database(of: string, spec: object = {}): Story {
    return new Story(this, new DatabasePlanner(), of, spec);
  }

  role(of: string, spec: object = {}, password?: string): Story {
    return new Story(this, new RolePlanner(), of, spec, password);
  }

  async close(): Promise<void> {
    await this.engine.close();
    const databases = await this.sql<{ name: string }>(
      `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%${this.#id}%'`,
    );
    for (const row of databases) await this.sql(`DROP DATABASE ${name(row.name)}`);
    const accounts = await this.sql<{ User: string; Host: string }>(
      `SELECT User, Host FROM mysql.user WHERE User LIKE '%${this.#id}%'`,
    );
    for (const { User, Host } of accounts)
      await this.sql(Host === '' ? `DROP ROLE ${text(User)}` : `DROP USER ${text(User)}@${text(Host)}`);
    await this.server.disconnect();
  }
}

/** One resource over its life, with what its annotations would say. */
export class Story {
  readonly #place: Place;
  readonly #planner: Planner<never>;
  readonly name: string;
  spec: object;
  password: string | undefined;
  /** Of a generated password. */
  changedAt: Date | undefined;
  now = new Date();
  readonly uid = randomBytes(6).toString('hex');
  owned = false;
  applied: unknown;

  constructor(place: Place, planner: Planner<never>, of: string, spec: object, password?: string) {
    this.#place = place;
    this.#planner = planner;
    this.name = of;
    this.spec = spec;
    this.password = password;
  }

  async #context(): Promise<PlanContext> {
    const { password, changedAt } = this;
    return {
      reader: await this.#place.reader(),
      externalName: this.name,
      mark: { uid: this.uid, resource: `tests/${this.uid}` },
      owned: this.owned,
      applied: this.applied,
      ...(password === undefined
        ? {}
        : {
            password: {
              value: new Secret(password),
              generated: changedAt !== undefined,
              overlapMs: 600_000,
              ...(changedAt === undefined ? {} : { changedAt: changedAt.toISOString() }),
            },
          }),
      now: this.now,
    };
  }

  #resource(): never {
    return { spec: { forProvider: this.spec } } as unknown as Managed as never;
  }

  async plan(): Promise<Plan> {
    return await this.#planner.plan(this.#resource(), await this.#context());
  }

  async planDelete(): Promise<Plan> {
    return await this.#planner.planDelete(this.#resource(), await this.#context());
  }

  /** One pass, as far as the change. A creation that fails leaves the resource without a right to what is there. */
  async change(): Promise<Step[]> {
    const plan = await this.plan();
    const after: unknown = JSON.parse(JSON.stringify(plan.applied ?? {}));
    this.applied = { ...(this.applied as object | undefined), ...(after as object) };
    await this.#place.engine.run(plan.steps);
    this.owned = true;
    this.applied = after;
    return plan.steps;
  }

  /** A change, after which there is nothing left to do. */
  async reconcile(): Promise<Step[]> {
    const steps = await this.change();
    const again = await this.plan();
    expect(again).toMatchObject({ exists: true, steps: [] });
    expect(again.unready).toBeUndefined();
    this.applied = JSON.parse(JSON.stringify(again.applied ?? {})) as unknown;
    expect((await this.plan()).steps).toEqual([]);
    return steps;
  }

  async edit(change: object): Promise<Step[]> {
    this.spec = { ...this.spec, ...change };
    return await this.reconcile();
  }

  /** Gives the plan that says that nothing of ours is left. */
  async delete(): Promise<Plan> {
    const plan = await this.planDelete();
    if (!plan.exists) return plan;
    await this.#place.engine.run(plan.steps);
    const after = await this.planDelete();
    expect(after).toMatchObject({ exists: false, steps: [] });
    return after;
  }
}
