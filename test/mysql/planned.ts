/** Databases and roles that are planned and made on a shared MySQL or MariaDB server, as the provider would. */
import { randomBytes } from 'node:crypto';
import { Secret } from '../../provider/common/secret.ts';
import { initLogin } from '../../provider/engines/mysql/jobs/logins.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { DatabasePlanner } from '../../provider/resources/database.ts';
import type { PlanContext, Reader } from '../../provider/resources/planner.ts';
import { RolePlanner } from '../../provider/resources/role.ts';
import { readerOf, Story } from '../planning/story.ts';
import { settingsOf } from '../planning/settings.ts';
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
  readonly #uids: string[] = [];

  constructor(server: MysqlServerName | MysqlClient) {
    this.server = typeof server === 'string' ? sharedMysql(server) : server;
    this.engine = this.engineAs(this.server.adminUser, this.server.password);
  }

  /** Another administrator's engine, for the test to close. */
  engineAs(username: string, password: string): MysqlEngine {
    const login = { username, password: new Secret(password) };
    return new MysqlEngine(settingsOf(this.server, { ...login, connectionLimit: 3 }), this.server.flavour);
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

  async pluginOf(user: string): Promise<string | undefined> {
    return (await this.server.query<{ plugin: string }>('SELECT plugin FROM mysql.user WHERE User = ?', [user]))[0]
      ?.plugin;
  }

  async reader(): Promise<Reader> {
    return await readerOf(this.engine);
  }

  database(of: string, spec: object = {}): AccountStory {
    return new AccountStory(this, new DatabasePlanner(), of, spec);
  }

  role(of: string, spec: object = {}, password?: string): AccountStory {
    const story = new AccountStory(this, new RolePlanner(), of, spec, password);
    this.#uids.push(story.uid);
    return story;
  }

  async close(): Promise<void> {
    await this.engine.close();
    const databases = await this.sql<{ name: string }>(
      `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%${this.#id}%'`,
    );
    for (const row of databases) {
      await this.sql(`DROP DATABASE ${name(row.name)}`);
      await this.sql(`DROP USER IF EXISTS ${text(initLogin(row.name))}`);
    }
    const accounts = await this.sql<{ User: string; Host: string }>(
      `SELECT User, Host FROM mysql.user WHERE User LIKE '%${this.#id}%'`,
    );
    for (const { User, Host } of accounts)
      await this.sql(Host === '' ? `DROP ROLE ${text(User)}` : `DROP USER ${text(User)}@${text(Host)}`);
    for (const uid of this.isMariadb ? this.#uids : [])
      for (const { User } of await this.sql<{ User: string }>(
        `SELECT User FROM mysql.user WHERE User LIKE ${text(`xdatabase.mark.%.${uid} %`)}`,
      ))
        await this.sql(`DROP ROLE ${text(User)}`);
    await this.server.disconnect();
  }
}

/** With a password that may be a generated one, at a time that the test chooses. */
export class AccountStory extends Story {
  /** Of a generated password. */
  changedAt: Date | undefined;
  override now = new Date();

  protected override given(password: string): NonNullable<PlanContext['password']> {
    const { changedAt } = this;
    return {
      value: new Secret(password),
      generated: changedAt !== undefined,
      overlapMs: 600_000,
      ...(changedAt === undefined ? {} : { changedAt: changedAt.toISOString() }),
    };
  }
}
