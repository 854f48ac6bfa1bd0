/** The PostgreSQL protocol, version 3, from the server's side: messages in, messages out. */
import type { Duplex } from 'node:stream';

/** One column of a result, with the type's number. */
export interface Column {
  name: string;
  type: number;
}

export interface Result {
  /** Absent for statements that give no rows. */
  columns?: Column[];
  /** Values as text. */
  rows?: (string | null)[][];
  /** The command tag, e.g. `GRANT`. */
  tag: string;
  /** What is waited for before the answer goes out, once others may go on. */
  later?: () => Promise<void>;
  notices?: { severity: string; code: string; message: string }[];
}

export const TYPE = {
  bool: 16,
  int8: 20,
  text: 25,
  json: 3802,
  textArray: 1009,
  timestamptz: 1184,
  float8: 701,
} as const;

/** What the server says instead of a result. */
export class SqlError extends Error {
  readonly code: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** FATAL ends the session. */
  readonly severity: 'ERROR' | 'FATAL';

  constructor(
    code: string,
    message: string,
    options: { detail?: string; hint?: string; severity?: 'ERROR' | 'FATAL' } = {},
  ) {
    super(message);
    this.code = code;
    this.detail = options.detail;
    this.hint = options.hint;
    this.severity = options.severity ?? 'ERROR';
  }
}

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8');

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
}

export const authenticationOk = (): Buffer => message('R', int32(0));
export const authenticationSasl = (): Buffer => message('R', int32(10), cstring('SCRAM-SHA-256'), Buffer.from([0]));
export const authenticationContinue = (text: string): Buffer => message('R', int32(11), Buffer.from(text, 'utf8'));
export const authenticationFinal = (text: string): Buffer => message('R', int32(12), Buffer.from(text, 'utf8'));
export const parameterStatus = (name: string, value: string): Buffer => message('S', cstring(name), cstring(value));
export const backendKeyData = (id: number): Buffer => message('K', int32(id), int32(0));
export const readyForQuery = (status: 'I' | 'T' | 'E'): Buffer => message('Z', Buffer.from(status, 'latin1'));
export const parseComplete = (): Buffer => message('1');
export const bindComplete = (): Buffer => message('2');
export const closeComplete = (): Buffer => message('3');
export const noData = (): Buffer => message('n');
export const emptyQuery = (): Buffer => message('I');
export const commandComplete = (tag: string): Buffer => message('C', cstring(tag));

export const rowDescription = (columns: readonly Column[]): Buffer =>
  message(
    'T',
    int16(columns.length),
    ...columns.flatMap(({ name, type }) => [
      cstring(name),
      int32(0),
      int16(0),
      int32(type),
      int16(-1),
      int32(-1),
      int16(0),
    ]),
  );

export const dataRow = (values: readonly (string | null)[]): Buffer =>
  message(
    'D',
    int16(values.length),
    ...values.flatMap((value) => {
      if (value === null) return [int32(-1)];
      const bytes = Buffer.from(value, 'utf8');
      return [int32(bytes.length), bytes];
    }),
  );

function fields(type: string, severity: string, code: string, text: string, more: [string, string][] = []): Buffer {
  const all: [string, string][] = [['S', severity], ['V', severity], ['C', code], ['M', text], ...more];
  return message(type, ...all.map(([key, value]) => cstring(`${key}${value}`)), Buffer.from([0]));
}

export const noticeResponse = (severity: string, code: string, text: string): Buffer =>
  fields('N', severity, code, text);

export const errorResponse = (error: SqlError): Buffer =>
  fields('E', error.severity, error.code, error.message, [
    ...(error.detail === undefined ? [] : [['D', error.detail] as [string, string]]),
    ...(error.hint === undefined ? [] : [['H', error.hint] as [string, string]]),
  ]);

/** Reads fields of one message in their order. */
export class MessageReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  cstring(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  char(): string {
    return String.fromCharCode(this.#bytes[this.#at++] ?? 0);
  }

  bytes(length: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }
}

/** Messages of a client, one after another. */
export class Inbox {
  #buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #isEnded = false;

  constructor(stream: Duplex) {
    this.attach(stream);
  }

  /** After the switch to TLS the messages come from another stream. */
  attach(stream: Duplex): void {
    stream.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake?.();
    });
    const end = (): void => {
      this.#isEnded = true;
      this.#wake?.();
    };
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', end);
  }

  detach(stream: Duplex): void {
    stream.removeAllListeners('data');
    stream.removeAllListeners('end');
    stream.removeAllListeners('close');
  }

  async #need(length: number): Promise<boolean> {
    while (this.#buffer.length < length) {
      if (this.#isEnded) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  #take(length: number): Buffer {
    const part = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return part;
  }

  /** A message without a type, as sessions begin with. */
  async startup(): Promise<MessageReader | undefined> {
    if (!(await this.#need(4))) return undefined;
    const length = this.#buffer.readInt32BE(0);
    if (!(await this.#need(length))) return undefined;
    return new MessageReader(this.#take(length).subarray(4));
  }

  async next(): Promise<{ type: string; body: MessageReader } | undefined> {
    if (!(await this.#need(5))) return undefined;
    const length = this.#buffer.readInt32BE(1) + 1;
    if (!(await this.#need(length))) return undefined;
    const bytes = this.#take(length);
    return { type: String.fromCharCode(bytes[0] ?? 0), body: new MessageReader(bytes.subarray(5)) };
  }
}
