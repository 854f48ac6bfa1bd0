/** One client: login, then simple and extended queries, until it goes. */
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket } from 'node:tls';
import { Backend } from './backend.ts';
import { execute } from './execute.ts';
import { ScramServer } from './scram-server.ts';
import type { Simulator } from './simulator.ts';
import { Cursor, split, type Token } from './tokens.ts';
import * as wire from './wire.ts';
import { Inbox, type MessageReader, type Result, SqlError } from './wire.ts';

const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;

interface Prepared {
  text: string;
  tokens: Token[];
}

interface Portal {
  statement: Prepared | undefined;
  params: (string | null)[];
  result?: Result;
}

export class Session {
  readonly simulator: Simulator;
  readonly id = randomInt(1, 2 ** 31 - 1);
  user = '';
  database = 'defaultdb';
  /** Fingerprint of the certificate that it logged in with. */
  certificate: string | undefined;
  /** What SET ROLE made of the user. */
  currentUser = '';
  backend: Backend | undefined;
  readonly variables = new Map<string, string>();
  #stream: Duplex;
  readonly #inbox: Inbox;
  readonly #statements = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  #isSkipping = false;
  #isOver = false;

  constructor(simulator: Simulator, socket: Socket) {
    this.simulator = simulator;
    this.#stream = socket;
    socket.on('error', () => {});
    this.#inbox = new Inbox(socket);
  }

  #send(...messages: readonly Buffer[]): void {
    if (!this.#stream.destroyed) this.#stream.write(Buffer.concat(messages));
  }

  /** Cuts the connection without a word. */
  drop(): void {
    this.#stream.destroy();
  }

  get status(): 'I' | 'T' | 'E' {
    return this.backend?.status ?? 'I';
  }

  async run(): Promise<void> {
    try {
      if (!(await this.#login())) return;
      for (;;) {
        const message = await this.#inbox.next();
        if (message === undefined || message.type === 'X' || this.#isOver) return;
        await this.#handle(message.type, message.body);
      }
    } catch (error) {
      if (error instanceof SqlError) this.#send(wire.errorResponse(error));
      else if (!this.#stream.destroyed)
        this.#send(wire.errorResponse(new SqlError('XX000', `simulator: ${String(error)}`, { severity: 'FATAL' })));
    } finally {
      this.#stream.end();
      await this.backend?.close();
    }
  }

  async #login(): Promise<boolean> {
    let tls: TLSSocket | undefined;
    let startup = await this.#inbox.startup();
    let code = startup?.int32();
    if (startup === undefined || code === CANCEL_REQUEST) return false;
    if (code === SSL_REQUEST) {
      const { tls: options } = this.simulator;
      this.#send(Buffer.from(options === undefined ? 'N' : 'S'));
      if (options !== undefined) {
        tls = await this.#encrypt(options);
      }
      startup = await this.#inbox.startup();
      code = startup?.int32();
      if (startup === undefined) return false;
    }
    const parameters = new Map<string, string>();
    for (let key = startup.cstring(); key !== ''; key = startup.cstring()) parameters.set(key, startup.cstring());
    this.user = parameters.get('user') ?? '';
    this.currentUser = this.user;
    this.database = parameters.get('database') ?? 'defaultdb';
    for (const [name, value] of this.simulator.defaults) this.variables.set(name, value);
    for (const [, name = '', value = ''] of (parameters.get('options') ?? '').matchAll(/-c\s*([a-z_]+)=(\S+)/g))
      this.variables.set(name, value);
    this.variables.set('application_name', parameters.get('application_name') ?? '');
    if (this.simulator.tls !== undefined && tls === undefined)
      throw new SqlError('08004', 'node is running secure mode, SSL connection required', { severity: 'FATAL' });
    await this.#authenticate(tls);
    this.simulator.logins += 1;
    const { fullVersion } = this.simulator;
    const said = [
      ['server_version', '13.0.0'],
      ['crdb_version', fullVersion],
      ['server_encoding', 'UTF8'],
      ['client_encoding', 'UTF8'],
      ['DateStyle', 'ISO, MDY'],
      ['TimeZone', 'UTC'],
      ['integer_datetimes', 'on'],
      ['standard_conforming_strings', 'on'],
    ].map(([name = '', value = '']) => wire.parameterStatus(name, value));
    this.#send(wire.authenticationOk(), ...said, wire.backendKeyData(this.id), wire.readyForQuery('I'));
    return true;
  }

  async #encrypt({ key, cert, ca }: { key: string; cert: string; ca: string[] }): Promise<TLSSocket> {
    const raw = this.#stream as Socket;
    this.#inbox.detach(raw);
    const socket = await new Promise<TLSSocket>((resolve, reject) => {
      // Who shows no certificate may still log in with a password.
      const server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: false }, resolve);
      server.on('tlsClientError', reject);
      server.emit('connection', raw);
    });
    socket.on('error', () => {});
    this.#inbox.attach(socket);
    this.#stream = socket;
    return socket;
  }

  async #authenticate(tls: TLSSocket | undefined): Promise<void> {
    const fatal = (code: string, text: string): SqlError => new SqlError(code, text, { severity: 'FATAL' });
    const { state } = this.simulator;
    const role = state.roles.get(this.user);
    const certificate = tls?.getPeerCertificate();
    const subject: unknown = certificate?.subject?.CN;
    if (typeof subject === 'string') {
      // A certificate that the authority signed is taken for the user that it names, and for no other.
      if (!tls?.authorized || subject !== this.user)
        throw fatal('28000', `certificate authentication failed for user "${this.user}"`);
      this.certificate = certificate?.fingerprint256;
    } else if (role !== undefined && role.verifier !== undefined) await this.#scram(role.verifier);
    else throw fatal('28P01', `password authentication failed for user ${this.user}`);
    if (role === undefined) throw fatal('28P01', `password authentication failed for user ${this.user}`);
    if (!role.login) throw fatal('28000', `${this.user} does not have login privilege`);
    if (role.validUntil !== undefined && role.validUntil.getTime() <= Date.now())
      throw fatal('28000', 'password is expired');
    if (!(await this.simulator.catalog.exists(this.database)))
      throw fatal('3D000', `database "${this.database}" does not exist`);
    if (this.simulator.isFull) throw fatal('53300', 'sorry, too many clients already');
  }

  async #scram(verifier: string): Promise<void> {
    const wrong = new SqlError('28P01', `password authentication failed for user ${this.user}`, { severity: 'FATAL' });
    const scram = new ScramServer(verifier);
    this.#send(wire.authenticationSasl());
    const initial = await this.#inbox.next();
    if (initial?.type !== 'p') throw wrong;
    initial.body.cstring();
    this.#send(wire.authenticationContinue(scram.first(initial.body.bytes(initial.body.int32()).toString('utf8'))));
    const final = await this.#inbox.next();
    const proof = final === undefined ? undefined : scram.final(final.body.rest().toString('utf8'));
    if (proof === undefined) throw wrong;
    this.#send(wire.authenticationFinal(proof));
  }

  async #handle(type: string, body: MessageReader): Promise<void> {
    if (this.#isSkipping && type !== 'S') return;
    try {
      await this.#dispatch(type, body);
    } catch (error) {
      const told = error instanceof SqlError ? error : new SqlError('XX000', `simulator: ${String(error)}`);
      this.#send(wire.errorResponse(told));
      if (told.severity === 'FATAL') {
        this.#isOver = true;
        this.#stream.end();
        return;
      }
      if (type === 'Q') this.#send(wire.readyForQuery(this.status));
      else this.#isSkipping = true;
    }
  }

  async #dispatch(type: string, body: MessageReader): Promise<void> {
    switch (type) {
      case 'Q':
        await this.#simple(body.cstring());
        return;
      case 'P': {
        const [name, text] = [body.cstring(), body.cstring()];
        const statements = split(text);
        if (statements.length > 1)
          throw new SqlError('42601', 'cannot insert multiple commands into a prepared statement');
        this.#statements.set(name, statements[0] ?? { text: '', tokens: [] });
        this.#send(wire.parseComplete());
        return;
      }
      case 'B':
        this.#bind(body);
        return;
      case 'D':
        await this.#describe(body.char(), body.cstring());
        return;
      case 'E': {
        const portal = this.#portal(body.cstring());
        this.#send(...this.#rows(await this.#result(portal)));
        return;
      }
      case 'C':
        (body.char() === 'S' ? this.#statements : this.#portals).delete(body.cstring());
        this.#send(wire.closeComplete());
        return;
      case 'S':
        this.#isSkipping = false;
        this.#send(wire.readyForQuery(this.status));
        return;
      case 'H':
        return;
      default:
        throw new SqlError('08P01', `unknown message ${type}`, { severity: 'FATAL' });
    }
  }

  async #simple(text: string): Promise<void> {
    const statements = split(text);
    if (statements.length === 0) this.#send(wire.emptyQuery());
    for (const statement of statements) {
      const result = await execute(this, new Cursor(statement.text, statement.tokens), statements.length > 1);
      this.#send(...(result.columns === undefined ? [] : [wire.rowDescription(result.columns)]), ...this.#rows(result));
    }
    this.#send(wire.readyForQuery(this.status));
  }

  #bind(body: MessageReader): void {
    const [portal, name] = [body.cstring(), body.cstring()];
    const formats = Array.from({ length: body.int16() }, () => body.int16());
    if (formats.some((format) => format !== 0)) throw new SqlError('0A000', 'simulator: binary parameters');
    const params = Array.from({ length: body.int16() }, () => {
      const length = body.int32();
      return length < 0 ? null : body.bytes(length).toString('utf8');
    });
    const statement = this.#statements.get(name);
    if (statement === undefined) throw new SqlError('26000', `unknown prepared statement "${name}"`);
    this.#portals.set(portal, { statement, params });
    this.#send(wire.bindComplete());
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new SqlError('34000', `unknown portal "${name}"`);
    return portal;
  }

  async #describe(kind: string, name: string): Promise<void> {
    if (kind === 'S') throw new SqlError('0A000', 'simulator: Describe of a statement');
    const { columns } = await this.#result(this.#portal(name));
    this.#send(columns === undefined ? wire.noData() : wire.rowDescription(columns));
  }

  async #result(portal: Portal): Promise<Result> {
    if (portal.statement === undefined || portal.statement.tokens.length === 0) return { tag: '' };
    portal.result ??= await execute(
      this,
      new Cursor(portal.statement.text, portal.statement.tokens, portal.params),
      false,
    );
    return portal.result;
  }

  #rows({ rows = [], tag, notices = [] }: Result): Buffer[] {
    return [
      ...notices.map(({ severity, code, message }) => wire.noticeResponse(severity, code, message)),
      ...rows.map((row) => wire.dataRow(row)),
      tag === '' ? wire.emptyQuery() : wire.commandComplete(tag),
    ];
  }
}
