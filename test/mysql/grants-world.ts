/** Databases and accounts of a test's own on a shared server, and Grants there that are reconciled as they would be. */
import { randomBytes } from 'node:crypto';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { Secret } from '../../provider/common/secret.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { MARIADB_PRIVILEGES, MYSQL_PRIVILEGES } from '../../provider/engines/mysql/privileges.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import type { ReadKind, Reads } from '../../provider/resources/model/reads.ts';
import type { ServerInfo } from '../../provider/resources/model/server.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import type { Reader } from '../../provider/resources/planner.ts';
import { GrantStory } from '../planning/grant-story.ts';
import { settingsOf } from '../planning/settings.ts';
import type { MysqlClient } from '../rig/mysql-client.ts';
import type { Login } from '../rig/server-client.ts';

const quotedName = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const quotedText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export class World {
  readonly id = randomBytes(3).toString('hex');
  readonly client: MysqlClient;
  readonly info: ServerInfo;
  /** Its administrator grants; not always the one that prepares and looks. */
  readonly engine: MysqlEngine;
  readonly #made: string[] = [];
  /** Every statement that changes something, as it was sent. */
  readonly sent: string[] = [];

  private constructor(client: MysqlClient, engine: MysqlEngine, info: ServerInfo) {
    this.client = client;
    this.engine = engine;
    this.info = info;
  }

  static async create(client: MysqlClient, login?: Login): Promise<World> {
    const as = login && { username: login.name, password: new Secret(login.password) };
    const engine = new MysqlEngine(settingsOf(client, { ...as, connectionLimit: 3 }), client.flavour);
    return new World(client, engine, await engine.info());
  }

  get isMysql(): boolean {
    return this.info.engine === 'mysql';
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of}_${this.id}`;
  }

  /** As the root of the server; {x} stands for the account x, <d> for the database d. */
  async sql<R extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return await this.client.query<R>(this.text(text), values);
  }

  /** A statement as `sql` would send it. */
  text(text: string): string {
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
      this.#made.push(this.text(`DROP ROLE IF EXISTS {${of}}`));
    }
  }

  async databases(...names: string[]): Promise<void> {
    for (const of of names) await this.database(this.name(of));
  }

  async database(name: string): Promise<void> {
    await this.client.query(`CREATE DATABASE ${quotedName(name)}`);
    this.#made.push(`DROP DATABASE IF EXISTS ${quotedName(name)}`);
  }

  login(of: string): Login {
    return { name: this.name(of), password: `Pw-1-${this.id}` };
  }

  /** Whether the account may run it. */
  async may(of: string, text: string): Promise<boolean> {
    try {
      await this.client.queryAs(this.login(of), this.text(text));
      return true;
    } catch (error) {
      if ([1044, 1142, 1143, 1227, 1370].includes((error as { errno: number }).errno)) return false;
      throw error;
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    this.sent.push(...this.engine.compile(steps, this.info).map(({ text }) => text));
    await this.engine.run(steps);
  }

  reader(): Reader {
    const read = async <K extends ReadKind>(kind: K, query: Reads[K]['query']) =>
      (await this.engine.read(kind, [query]))[0]!;
    return { server: this.info, read } as unknown as Reader;
  }

  grant(spec: GrantParameters): GrantStory<GrantParameters> {
    const planner = new GrantPlanner({ mysql: MYSQL_PRIVILEGES, mariadb: MARIADB_PRIVILEGES });
    return new GrantStory(this, planner, spec);
  }

  /** Takes everything from an account. */
  async reset(of: string): Promise<void> {
    await this.sql(`REVOKE ALL PRIVILEGES, GRANT OPTION FROM {${of}}@'%'`);
    await this.sql('DELETE FROM mysql.proxies_priv WHERE User = ?', [this.name(of)]);
    await this.sql('FLUSH PRIVILEGES');
  }

  /** What an account holds, as SHOW GRANTS says it, without the account. */
  async shown(of: string, host = '%'): Promise<string[]> {
    const account = host === '' ? `{${of}}` : `{${of}}@'${host}'`;
    const rows = await this.sql(`SHOW GRANTS FOR ${account}`);
    return rows
      .map((row) =>
        String(Object.values(row)[0]).replace(/ (TO|IDENTIFIED BY|FOR) .*?( WITH (GRANT|ADMIN) OPTION)?$/, '$2'),
      )
      .map((line) => line.replaceAll(new RegExp(String.raw`\\*_${this.id}`, 'g'), ''))
      .filter((line) => line !== 'GRANT USAGE ON *.*')
      .toSorted();
  }

  async close(): Promise<void> {
    await this.engine.close();
    for (const statement of this.#made.toReversed()) await this.client.query(statement);
    await this.client.disconnect();
  }
}

/** A database `shop` with one of each kind of object, and the accounts `app` and `other`. */
export async function openShop(client: MysqlClient): Promise<World> {
  const world = await World.create(client);
  await world.allowProxies();
  await world.users('app', 'other');
  await world.databases('shop');
  // As a pattern, shop_… would be this one too.
  await world.database(`shopX${world.id}`);
  await world.prepare(
    'CREATE TABLE <shop>.items (id int, name text, `odd name` int)',
    'CREATE TABLE <shop>.orders (id int)',
    'CREATE VIEW <shop>.seen AS SELECT id FROM <shop>.items',
    'CREATE PROCEDURE <shop>.work() SELECT 1',
    'CREATE FUNCTION <shop>.work() RETURNS int DETERMINISTIC RETURN 1',
    'CREATE FUNCTION <shop>.only() RETURNS int DETERMINISTIC RETURN 1',
    `CREATE TABLE shopX${world.id}.items (id int)`,
  );
  return world;
}
