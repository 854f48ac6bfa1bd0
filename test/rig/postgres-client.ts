/** The administrator's way into a PostgreSQL server of the rig, for a test to prepare and to look. */
import { Client, type ClientConfig, Pool, type QueryResult } from 'pg';
import { type Login, type ServerAddress, ServerClient } from './server-client.ts';

export interface PostgresAddress extends ServerAddress {
  /** 15, 18, … */
  major: number;
}

export class PostgresClient extends ServerClient<PostgresAddress> implements PostgresAddress {
  readonly major: number;
  #pool: Pool | undefined;

  constructor(address: PostgresAddress) {
    super(address);
    this.major = address.major;
  }

  /** `postgres://…` of the administrator, or of `user`. It holds the password. */
  url(database = 'postgres', user: Login = this.admin): string {
    return this.urlOf('postgres', database, user);
  }

  #config(database: string): ClientConfig {
    return {
      host: this.host,
      port: this.port,
      user: this.adminUser,
      password: this.password,
      database,
      application_name: 'rig',
      connectionTimeoutMillis: 10_000,
      ...(this.ca === undefined ? {} : { ssl: { ca: this.ca } }),
    };
  }

  /**
   * Runs SQL as the administrator and gives its rows; of several statements those of the last. Sessions to `postgres` are
   * kept, so that they do not disturb counts of logins; to any other database one is opened and closed, so that the
   * database can be dropped.
   */
  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    params: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Row[]> {
    if (database === 'postgres') {
      this.#pool ??= this.#newPool();
      return rows<Row>(await this.#pool.query(sql, [...params]));
    }
    return this.#once(this.#config(database), sql, params);
  }

  /** As `query`, but logged in as somebody else, in a session of its own. */
  queryAs<Row extends object = Record<string, unknown>>(
    user: Login,
    database: string,
    sql: string,
    params: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.#once({ ...this.#config(database), user: user.name, password: user.password }, sql, params);
  }

  /** Whether the server takes a login just now. */
  async ping(): Promise<true> {
    await this.#once(this.#config('postgres'), 'select 1', []);
    return true;
  }

  async #once<Row>(config: ClientConfig, sql: string, params: readonly unknown[]): Promise<Row[]> {
    const client = new Client(config);
    // A session that breaks also fails the query in it, which is where it is told.
    client.on('error', () => {});
    try {
      await client.connect();
      return rows<Row>(await client.query(sql, [...params]));
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Closes our own sessions. */
  async disconnect(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }

  #newPool(): Pool {
    const pool = new Pool({ ...this.#config('postgres'), max: 4, idleTimeoutMillis: 0, allowExitOnIdle: true });
    // A server that goes away under an idle session is what some tests are about.
    pool.on('error', () => {});
    return pool;
  }
}

function rows<Row>(result: QueryResult | QueryResult[]): Row[] {
  const last = Array.isArray(result) ? result.at(-1) : result;
  return (last?.rows ?? []) as Row[];
}
