/** The administrator's way into a MySQL or MariaDB server of the rig, for a test to prepare and to look. */
import { readFileSync } from 'node:fs';
import { type Connection, type ConnectionOptions, createConnection, createPool, type Pool } from 'mysql2/promise';

/** Everything that is needed to log in; plain data, so that it can be handed from a set-up to the tests. */
export interface MysqlAddress {
  flavour: 'mysql' | 'mariadb';
  /** As the server says it, e.g. "9.7.4" or "11.8.9-MariaDB-4". */
  version: string;
  host: string;
  port: number;
  adminUser: string;
  password: string;
  /** PEM file of the authority that the server's certificate comes from, where the server has one of ours. */
  caFile?: string;
}

export interface MysqlLogin {
  name: string;
  password: string;
}

export class MysqlClient implements MysqlAddress {
  readonly address: MysqlAddress;
  readonly flavour: 'mysql' | 'mariadb';
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly adminUser: string;
  readonly password: string;
  readonly caFile?: string;
  #pool: Pool | undefined;

  constructor(address: MysqlAddress) {
    this.address = address;
    this.flavour = address.flavour;
    this.version = address.version;
    this.host = address.host;
    this.port = address.port;
    this.adminUser = address.adminUser;
    this.password = address.password;
    if (address.caFile !== undefined) this.caFile = address.caFile;
  }

  /** `mysql://…` or `mariadb://…` of the administrator, or of `user`. It holds the password. */
  url(database = '', user: MysqlLogin = { name: this.adminUser, password: this.password }): string {
    const login = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`;
    const tls = this.caFile === undefined ? '' : `?sslmode=verify-full&sslrootcert=${encodeURIComponent(this.caFile)}`;
    return `${this.flavour}://${login}@${this.host}:${this.port}/${encodeURIComponent(database)}${tls}`;
  }

  /** How the driver logs in; for tests that keep a session of their own. */
  options(user: MysqlLogin = { name: this.adminUser, password: this.password }, database?: string): ConnectionOptions {
    return {
      host: this.host,
      port: this.port,
      user: user.name,
      password: user.password,
      connectTimeout: 10_000,
      ...(database === undefined ? {} : { database }),
      ...(this.caFile === undefined ? {} : { ssl: { ca: readFileSync(this.caFile, 'utf8'), verifyIdentity: false } }),
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
    user: MysqlLogin,
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

  async login(user: MysqlLogin, database?: string): Promise<Connection> {
    return await createConnection(this.options(user, database));
  }

  /** Whether the server takes a login just now. */
  async ping(): Promise<true> {
    await this.queryAs({ name: this.adminUser, password: this.password }, 'SELECT 1');
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
