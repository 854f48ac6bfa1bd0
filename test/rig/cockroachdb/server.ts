/** A CockroachDB server for tests: the simulator in one version, or the real one that XDB_TEST_COCKROACH_URL names. */
import { Client } from 'pg';
import { Secret } from '../../../provider/common/secret.ts';
import type { ConnectionSettings } from '../../../provider/engines/engine.ts';
import { parseServerUrl } from '../../../provider/local/server-url.ts';
import { Simulator, type SimulatedVersion, simulatedVersions } from './simulator.ts';

const realUrl = process.env['XDB_TEST_COCKROACH_URL'];

/** What the suite is run on: each version that is simulated, or the server that is given. */
export const cockroachVersions: readonly string[] = realUrl === undefined ? simulatedVersions : ['of yours'];

export class CockroachServer {
  readonly settings: ConnectionSettings;
  /** undefined on a real server. */
  readonly simulator: Simulator | undefined;

  private constructor(settings: ConnectionSettings, simulator: Simulator | undefined) {
    this.settings = settings;
    this.simulator = simulator;
  }

  static async start(version: string): Promise<CockroachServer> {
    if (realUrl !== undefined) return new CockroachServer(parseServerUrl(realUrl, process.env), undefined);
    const simulator = await Simulator.start({ version: version as SimulatedVersion });
    const settings: ConnectionSettings = {
      engine: 'cockroachdb',
      host: simulator.host,
      port: simulator.port,
      username: 'root',
      password: new Secret(simulator.rootPassword),
      database: 'defaultdb',
      tls: { mode: 'disable' },
      connectionLimit: 4,
    };
    return new CockroachServer(settings, simulator);
  }

  get host(): string {
    return this.settings.host;
  }

  get port(): number {
    return this.settings.port;
  }

  /** One statement as the administrator, in a session of its own. */
  async query<Row extends object = Record<string, unknown>>(
    text: string,
    params: readonly unknown[] = [],
    database = this.settings.database,
  ): Promise<Row[]> {
    const { username, password } = this.settings;
    return await this.#once<Row>({ name: username, password: password?.reveal() ?? '' }, database, text, params);
  }

  /** As `query`, logged in as somebody else. */
  async queryAs<Row extends object = Record<string, unknown>>(
    user: { name: string; password: string },
    database: string,
    text: string,
    params: readonly unknown[] = [],
  ): Promise<Row[]> {
    return await this.#once<Row>(user, database, text, params);
  }

  async #once<Row extends object>(
    { name, password }: { name: string; password: string },
    database: string,
    text: string,
    params: readonly unknown[],
  ): Promise<Row[]> {
    const { host, port, tls, username } = this.settings;
    const isAdmin = name === username;
    const client = new Client({
      host,
      port,
      user: name,
      password,
      database,
      ssl:
        tls.mode === 'disable'
          ? false
          : {
              rejectUnauthorized: tls.mode.startsWith('verify'),
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
              ...(isAdmin && tls.cert !== undefined ? { cert: tls.cert } : {}),
              ...(isAdmin && tls.key !== undefined ? { key: tls.key.reveal() } : {}),
            },
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Row>(text, [...params])).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async stop(): Promise<void> {
    await this.simulator?.stop();
  }
}
