/** Databases and accounts of a test's own on a shared server, and Grants there that are reconciled as they would be. */
import { randomBytes } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import { expect } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import type { Managed } from '../../provider/api/kind.ts';
import type { ServerInfo } from '../../provider/engines/engine.ts';
import { compileGrantStep, isGrantStep } from '../../provider/engines/mysql/compile/grants.ts';
import { readDynamicPrivileges } from '../../provider/engines/mysql/dynamic-privileges.ts';
import { MARIADB_PRIVILEGES, MYSQL_PRIVILEGES } from '../../provider/engines/mysql/privileges.ts';
import { readGrants } from '../../provider/engines/mysql/reads/grants.ts';
import { readMemberships } from '../../provider/engines/mysql/reads/memberships.ts';
import type { Row } from '../../provider/engines/mysql/session.ts';
import type { Sql } from '../../provider/engines/mysql/sql.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import type { GrantQuery, MembershipQuery, Step } from '../../provider/resources/model.ts';
import type { Plan, PlanContext, Reader } from '../../provider/resources/planner.ts';
import type { MysqlClient, MysqlLogin } from '../rig/mysql-client.ts';

const quotedName = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const quotedText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export class World {
  readonly id = randomBytes(3).toString('hex');
  readonly client: MysqlClient;
  readonly info: ServerInfo;
  /** The administrator that grants; not always the one that prepares and looks. */
  readonly #admin: Connection;
  #made: string[] = [];
  /** Every statement that changes something, as it was sent. */
  readonly sent: string[] = [];

  private constructor(client: MysqlClient, info: ServerInfo, admin: Connection) {
    this.client = client;
    this.info = info;
    this.#admin = admin;
  }

  static async create(client: MysqlClient, login?: MysqlLogin): Promise<World> {
    const admin = await client.login(login ?? { name: client.adminUser, password: client.password });
    await admin.query(`SET NAMES utf8mb4, SESSION sql_mode = 'STRICT_ALL_TABLES'`);
    const query = async ({ text }: Sql) => (await admin.query(text))[0] as Row[];
    const [row] = await client.query<{ version: string }>('SELECT VERSION() AS version');
    const [major = 0, minor = 0, patch = 0] = /^(\d+)\.(\d+)\.(\d+)/.exec(row!.version)!.slice(1).map(Number);
    const info: ServerInfo = {
      engine: client.flavour,
      product: `${client.flavour} ${row!.version}`,
      versionNumber: major * 10_000 + minor * 100 + patch,
      major,
      admin: { name: login?.name ?? client.adminUser, superUser: true, createRole: true, createDb: true },
      ...(client.flavour === 'mysql' ? { dynamicPrivileges: await readDynamicPrivileges({ query }) } : {}),
    };
    return new World(client, info, admin);
  }

  get isMysql(): boolean {
    return this.info.engine === 'mysql';
  }

  /** What is refused by one flavour or the other as it stands here. */
  with(settings: Partial<ServerInfo>): void {
    Object.assign(this.info, settings);
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of}_${this.id}`;
  }

  /** As the root of the server; {x} stands for the account x, <d> for the database d. */
  async sql<R extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return await this.client.query<R>(this.#named(text), values);
  }

  #named(text: string): string {
    return text
      .replace(/\{([^{}]+)\}/g, (_, of: string) => quotedText(this.name(of)))
      .replace(/<([^<>]+)>/g, (_, of: string) => quotedName(this.name(of)));
  }

  /** The administrators of the rig are allowed all but this, which only root of the machine has. */
  async allowProxies(): Promise<void> {
    const account = await this.sql<{ account: string }>('SELECT CURRENT_USER() AS account');
    const [user, host] = account[0]!.account.split('@');
    await this.sql(
      `REPLACE INTO mysql.proxies_priv (User, Host, Proxied_user, Proxied_host, With_grant, Grantor) VALUES (?, ?, '', '', 1, '')`,
      [user, host],
    );
    await this.sql('FLUSH PRIVILEGES');
  }

  /** Statements one after another. */
  async prepare(...texts: string[]): Promise<void> {
    for (const text of texts) await this.sql(text);
  }

  async users(...names: string[]): Promise<void> {
    for (const of of names) await this.account(this.name(of), '%');
  }

  async account(name: string, host: string): Promise<void> {
    const account = `${quotedText(name)}@${quotedText(host)}`;
    await this.client.query(`CREATE USER ${account} IDENTIFIED BY 'Pw-1-${this.id}'`);
    this.#made.push(`DROP USER IF EXISTS ${account}`);
  }

  async roles(...names: string[]): Promise<void> {
    for (const of of names) {
      await this.sql(`CREATE ROLE {${of}}`);
      this.#made.push(this.#named(`DROP ROLE IF EXISTS {${of}}`));
    }
  }

  async databases(...names: string[]): Promise<void> {
    for (const of of names) await this.database(this.name(of));
  }

  async database(name: string): Promise<void> {
    await this.client.query(`CREATE DATABASE ${quotedName(name)}`);
    this.#made.push(`DROP DATABASE IF EXISTS ${quotedName(name)}`);
  }

  login(of: string): MysqlLogin {
    return { name: this.name(of), password: `Pw-1-${this.id}` };
  }

  /** Whether the account may run it. */
  async may(of: string, text: string): Promise<boolean> {
    try {
      await this.client.queryAs(this.login(of), this.#named(text));
      return true;
    } catch (error) {
      if ([1044, 1142, 1143, 1227, 1370].includes((error as { errno: number }).errno)) return false;
      throw error;
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    const mine = steps.filter(isGrantStep);
    expect(mine).toEqual(steps);
    for (const step of mine)
      for (const { text } of compileGrantStep(step, this.info)) {
        this.sent.push(text);
        await this.#admin.query(text);
      }
  }

  reader(): Reader {
    const session = { query: async ({ text }: Sql) => (await this.#admin.query(text))[0] as Row[] };
    const read = async (kind: string, query: unknown) =>
      kind === 'grant'
        ? (await readGrants(session, [query as GrantQuery], this.info))[0]
        : (await readMemberships(session, [query as MembershipQuery], this.info))[0];
    return { server: this.info, read } as unknown as Reader;
  }

  grant(spec: GrantParameters): Story {
    return new Story(this, spec);
  }

  /** What an account holds, as SHOW GRANTS says it, without the account. */
  async shown(of: string, host = '%'): Promise<string[]> {
    const account = host === '' ? `{${of}}` : `{${of}}@'${host}'`;
    const rows = await this.sql(`SHOW GRANTS FOR ${account}`);
    return rows
      .map((row) => String(Object.values(row)[0]).replace(/ (TO|IDENTIFIED BY|FOR) .*?( WITH GRANT OPTION)?$/, '$2'))
      .map((line) => line.replaceAll(new RegExp(String.raw`\\*_${this.id}`, 'g'), ''))
      .filter((line) => !line.startsWith('GRANT USAGE ON *.*'))
      .toSorted();
  }

  async close(): Promise<void> {
    this.#admin.destroy();
    for (const statement of this.#made.toReversed()) await this.client.query(statement);
    await this.client.disconnect();
  }
}

/** One Grant over its life. */
export class Story {
  readonly #world: World;
  readonly #planner = new GrantPlanner({ mysql: MYSQL_PRIVILEGES, mariadb: MARIADB_PRIVILEGES });
  spec: GrantParameters;
  owned = false;
  applied: unknown;

  constructor(world: World, spec: GrantParameters) {
    this.#world = world;
    this.spec = spec;
  }

  #context(): PlanContext {
    return {
      reader: this.#world.reader(),
      externalName: '',
      mark: { uid: 'u', resource: 'ns/name' },
      owned: this.owned,
      applied: this.applied,
      now: new Date(),
    };
  }

  #resource(): never {
    return { spec: { forProvider: this.spec } } as unknown as Managed as never;
  }

  async plan(): Promise<Plan> {
    return await this.#planner.plan(this.#resource(), this.#context());
  }

  async planDelete(): Promise<Plan> {
    return await this.#planner.planDelete(this.#resource(), this.#context());
  }

  /** One pass; gives the statements it sent. The pass after it sends nothing. */
  async reconcile(): Promise<string[]> {
    const plan = await this.plan();
    const already = this.#world.sent.length;
    await this.#world.run(plan.steps);
    this.owned = true;
    this.applied = plan.applied === undefined ? undefined : JSON.parse(JSON.stringify(plan.applied));
    const again = await this.plan();
    expect(again.steps).toEqual([]);
    expect(again.exists).toBe(true);
    expect(again.applied).toEqual(plan.applied);
    return this.#world.sent.slice(already);
  }

  async edit(change: Partial<GrantParameters>): Promise<string[]> {
    this.spec = { ...this.spec, ...change };
    return await this.reconcile();
  }

  async delete(): Promise<string[]> {
    const plan = await this.planDelete();
    const already = this.#world.sent.length;
    await this.#world.run(plan.steps);
    const again = await this.planDelete();
    expect(again).toMatchObject({ exists: false, steps: [] });
    return this.#world.sent.slice(already);
  }
}
