/**
 * A stand-in for a CockroachDB server, as there is none that may be used here: it speaks the PostgreSQL protocol in front
 * of a real PostgreSQL, and does what the public documentation of CockroachDB says of each statement. It refuses what
 * CockroachDB refuses, and whatever it does not know.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Secret } from '../../../provider/common/secret.ts';
import { scramVerifier } from '../../../provider/engines/postgres/scram.ts';
import { type CertificateAuthority, createAuthority } from '../certificates.ts';
import type { PostgresAddress } from '../postgres-client.ts';
import { type PostgresServer, startPostgres } from '../postgres.ts';
import { quoted } from './backend.ts';
import { Catalog, definition } from './catalog.ts';
import { Jobs } from './jobs.ts';
import { Session } from './session.ts';
import { State } from './state.ts';
import type { SqlError } from './wire.ts';

export const simulatedVersions = ['24.3', '25.2', '26.2'] as const;
export type SimulatedVersion = (typeof simulatedVersions)[number];

export interface SimulatorOptions {
  version: SimulatedVersion;
  /** Logins need TLS then, and may use a certificate of `authority`. */
  secure?: boolean;
}

/** Something that goes wrong once, or `times` times, at the next statement that matches. */
export interface Fault {
  match: RegExp;
  do: 'drop' | { code: string; message: string };
  /** Before the statement is carried out, or after it was, so that only the answer is lost. */
  when?: 'before' | 'after';
  times?: number;
}

export class Simulator {
  readonly address: PostgresAddress;
  readonly state = new State();
  readonly catalog: Catalog;
  readonly jobs: Jobs;
  /** e.g. 250200. */
  readonly version: number;
  readonly fullVersion: string;
  readonly clusterId = randomUUID();
  /** undefined: no TLS. */
  authority: CertificateAuthority | undefined;
  tls: { key: string; cert: string; ca: string[] } | undefined;
  readonly rootPassword = randomBytes(15).toString('base64url');
  readonly settings = new Map<string, string>();
  /** Variables that every session begins with, as ALTER ROLE ALL makes it. */
  readonly defaults = new Map<string, string>();
  /** Every statement that any client sent. */
  readonly statements: { user: string; database: string; text: string; params: (string | null)[] }[] = [];
  /** What the server would have done differently than its client meant: has to stay empty. */
  readonly violations: string[] = [];
  readonly faults: Fault[] = [];
  /** When databases were made, by oid. */
  readonly made = new Map<string, Date>();
  /** Storage of whose URI this is a part cannot be reached. */
  unreachable: string | undefined;
  logins = 0;
  /** Refuses logins as a server without free connections does. */
  isFull = false;
  readonly #postgres: PostgresServer;
  readonly #server: Server;
  readonly sessions = new Set<Session>();
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(postgres: PostgresServer, { version, secure }: SimulatorOptions) {
    this.#postgres = postgres;
    this.address = postgres.address;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    this.version = major * 10_000 + minor * 100;
    this.fullVersion = `CockroachDB CCL v${version}.1 (x86_64-pc-linux-gnu, built 2026/01/01 00:00:00, go1.25.5)`;
    this.catalog = new Catalog(postgres.address, this.state);
    this.jobs = new Jobs(this);
    if (secure === true) this.renewAuthority();
    this.#server = createServer({ noDelay: true }, (socket) => {
      const session = new Session(this, socket);
      this.sessions.add(session);
      void session.run().finally(() => this.sessions.delete(session));
    });
  }

  static async start(options: SimulatorOptions): Promise<Simulator> {
    // Never a server of somebody's own: its roles and databases are remade as CockroachDB has them.
    const postgres = await startPostgres({ major: 18, settings: { max_connections: '200' } });
    const simulator = new Simulator(postgres, options);
    try {
      await simulator.#prepare();
      await new Promise<void>((resolve) => simulator.#server.listen(0, '127.0.0.1', resolve));
    } catch (error) {
      await simulator.stop();
      throw error;
    }
    return simulator;
  }

  async #prepare(): Promise<void> {
    const { state, catalog } = this;
    const root = state.roles.get('root')!;
    root.verifier = (await scramVerifier(new Secret(this.rootPassword))).reveal();
    for (const role of ['admin NOLOGIN', 'root LOGIN']) await catalog.run('postgres', `CREATE ROLE ${role} SUPERUSER`);
    for (const database of ['defaultdb', 'system'])
      await catalog.run('postgres', `CREATE DATABASE ${database} TEMPLATE template0`);
    for (const database of ['defaultdb', 'postgres'])
      await catalog.run('postgres', `ALTER DATABASE ${database} OWNER TO root`);
    await catalog.run('postgres', 'DROP EXTENSION IF EXISTS pg_stat_statements');
    for (const database of ['defaultdb', 'postgres', 'system']) await this.prepareDatabase(database);
  }

  /** Makes a new database's schema public as CockroachDB has it. */
  async prepareDatabase(database: string): Promise<void> {
    await this.catalog.run(database, 'ALTER SCHEMA public OWNER TO admin');
    await this.catalog.objects(database);
  }

  /**
   * Certificates of the node come from another authority from now on, and sessions end.
   * @param trusted authorities whose clients are let in besides those of the new one
   */
  renewAuthority(next = createAuthority(), trusted: readonly string[] = []): void {
    const { certificate, key } = next.issue({ commonName: 'node', usage: 'both' });
    this.authority = next;
    this.tls = { key, cert: certificate, ca: [next.certificate, ...trusted] };
    for (const session of this.sessions) session.drop();
  }

  get host(): string {
    return '127.0.0.1';
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets changes of the simulator's own state happen one after another. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(work, work);
    this.#tail = run.catch(() => {});
    return await run;
  }

  /** Takes the sessions underneath away from a database, as copying it needs. */
  async quiet(database: string): Promise<void> {
    for (const session of this.sessions)
      if (session.backend?.database === database) {
        const { backend } = session;
        session.backend = undefined;
        await backend.close();
      }
    await this.catalog.evict(database);
  }

  /** All rows of a database, in another. */
  async copyDatabase(from: string, to: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await this.quiet(from);
      try {
        await this.catalog.run('postgres', `CREATE DATABASE ${quoted(to)} TEMPLATE ${quoted(from)}`);
        return;
      } catch (error) {
        // Somebody came back in the meantime.
        if (attempt === 20 || (error as SqlError).code !== '55006') throw error;
      }
    }
  }

  /** Takes every privilege in a database from everybody, and gives all to one owner. */
  async disown(database: string, owner: string): Promise<void> {
    const others = [...this.state.roles.keys()].filter((role) => role !== 'admin' && role !== 'root').map(quoted);
    for (const object of await this.catalog.objects(database)) {
      const isPublicSchema = object.level === 'schema' && object.name === 'public';
      const definitionOf = definition(object);
      if (!isPublicSchema) {
        await this.catalog.run(database, `ALTER ${definitionOf} OWNER TO ${quoted(owner)}`);
        const on = object.level === 'table' ? definitionOf.replace(/^(MATERIALIZED )?VIEW/, 'TABLE') : definitionOf;
        await this.catalog.run(database, `REVOKE ALL ON ${on} FROM ${['PUBLIC', ...others].join(', ')}`);
      }
      this.state.acls.delete(object.key);
    }
    await this.catalog.objects(database);
  }

  async stop(): Promise<void> {
    this.jobs.stop();
    for (const session of this.sessions) session.drop();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
    await this.catalog.close();
    await this.#postgres.stop();
  }
}
