/** The administrator's way into a MySQL or MariaDB server of the rig, for a test to prepare and to look. */
import { type Connection, type ConnectionOptions, createConnection, createPool, type Pool } from 'mysql2/promise';
import { type Login, type ServerAddress, ServerClient } from './server-client.ts';

export interface MysqlAddress extends ServerAddress {
  flavour: 'mysql' | 'mariadb';
}

export class MysqlClient extends ServerClient<MysqlAddress> implements MysqlAddress {
  readonly flavour: 'mysql' | 'mariadb';
  #pool: Pool | undefined;

  constructor(address: MysqlAddress) {
    super(address);
    this.flavour = address.flavour;
  }

  /** `mysql://…` or `mariadb://…` of the administrator, or of `user`. It holds the password. */
  url(database = '', user: Login = this.admin): string {
    return this.urlOf(this.flavour, database, user);
  }

  /** How the driver logs in; for tests that keep a session of their own. */
  options(user: Login = this.admin, database?: string): ConnectionOptions {
    return {
      host: this.host,
      port: this.port,
      user: user.name,
      password: user.password,
      connectTimeout: 10_000,
      ...(database === undefined ? {} : { database }),
      ...(this.ca === undefined ? {} : { ssl: { ca: this.ca, verifyIdentity: false } }),
    };
  }

  /** Runs one statement as the administrator and gives its rows. Values are put in the place of `?`. */
  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    this.#pool ??= createPool({ ...this.options(), connectionLimit: 4 });
    return rowsOf<Row>(await this.#pool.query(sql, [...values]));
  }

  /** As `query`, but logged in as somebody else, in a session of its own. */
  async queryAs<Row extends object = Record<string, unknown>>(
    user: Login,
    sql: string,
    database?: string,
  ): Promise<Row[]> {
    const connection = await this.login(user, database);
    try {
      return rowsOf<Row>(await connection.query(sql));
    } finally {
      connection.destroy();
    }
  }

  async login(user: Login, database?: string): Promise<Connection> {
    return await createConnection(this.options(user, database));
  }

  /** Whether the server takes a login just now. */
  async ping(): Promise<true> {
    await this.queryAs(this.admin, 'SELECT 1');
    return true;
  }

  /** Closes our own sessions. */
  async disconnect(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}

const rowsOf = <Row>([rows]: readonly unknown[]): Row[] => (Array.isArray(rows) ? (rows as Row[]) : []);
