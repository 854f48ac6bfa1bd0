/** Header and table of contents of a PostgreSQL archive in the custom format (pg_backup_archiver.c, versions 1.12 and later). */
import { RunError } from '../errors.ts';

export interface TocEntry {
  id: number;
  /** Whether there is a block of data for it. */
  hasData: boolean;
  /** Kind in words, e.g. "TABLE DATA". */
  kind: string;
  name: string;
  schema: string;
}

export interface Toc {
  intSize: number;
  entries: TocEntry[];
  /** Bytes of header and table of contents: here the first block of data begins. */
  length: number;
}

const MAGIC = 'PGDMP';
const CUSTOM = 1;
const NO_COMPRESSION = 0;
/** Of a table of contents: more objects than a server can lock in one transaction. */
const LONGEST = 512 * 1024 * 1024;

class NeedMore extends Error {}

class Cursor {
  readonly #bytes: Buffer;
  at = 0;
  intSize = 4;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    if (this.at + length > this.#bytes.length) throw new NeedMore();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  int(): number {
    const negative = this.byte() !== 0;
    const value = this.take(this.intSize).readUIntLE(0, this.intSize);
    return negative ? -value : value;
  }

  text(): string | undefined {
    const length = this.int();
    return length < 0 ? undefined : this.take(length).toString('utf8');
  }
}

function broken(why: string): RunError {
  return new RunError('FileBroken', `the dump is not a PostgreSQL archive that can be loaded: ${why}`);
}

function parse(bytes: Buffer): Toc {
  const cursor = new Cursor(bytes);
  if (cursor.take(MAGIC.length).toString('latin1') !== MAGIC) throw broken('it does not begin with PGDMP');
  const version = cursor.byte() * 256 + cursor.byte();
  cursor.byte();
  if (version < 0x010c || version >= 0x0200) throw broken(`its version is ${version >> 8}.${version & 255}`);
  cursor.intSize = cursor.byte();
  const offsetSize = cursor.byte();
  if (cursor.intSize < 1 || cursor.intSize > 6 || cursor.byte() !== CUSTOM)
    throw broken('it is not in the custom format');
  const compression = version >= 0x010f ? cursor.byte() : cursor.int();
  if (compression !== NO_COMPRESSION) throw broken('it is compressed inside');
  for (let field = 0; field < 7; field += 1) cursor.int();
  for (let field = 0; field < 3; field += 1) cursor.text();
  const entries: TocEntry[] = [];
  for (let left = cursor.int(); left > 0; left -= 1) entries.push(entry(cursor, version, offsetSize));
  return { intSize: cursor.intSize, entries, length: cursor.at };
}

function entry(cursor: Cursor, version: number, offsetSize: number): TocEntry {
  const id = cursor.int();
  const hasData = cursor.int() !== 0;
  cursor.text();
  cursor.text();
  const name = cursor.text() ?? '';
  const kind = cursor.text() ?? '';
  cursor.int();
  // Definition, DROP, COPY.
  for (let field = 0; field < 3; field += 1) cursor.text();
  const schema = cursor.text() ?? '';
  // Tablespace, access method, kind of relation, owner, OIDs.
  cursor.text();
  if (version >= 0x010e) cursor.text();
  if (version >= 0x0110) cursor.int();
  cursor.text();
  cursor.text();
  while (cursor.text() !== undefined) {
    // Dependencies.
  }
  cursor.take(1 + offsetSize);
  return { id, hasData, kind, name, schema };
}

/** Collects the beginning of an archive until its table of contents is complete. */
export class TocReader {
  #parts: Buffer[] = [];
  #length = 0;
  #tryAt = 0;

  /**
   * @returns The table of contents and everything that was read, once there is enough of it.
   * @throws RunError FileBroken
   */
  update(part: Buffer): { toc: Toc; read: Buffer } | undefined {
    this.#parts.push(Buffer.from(part));
    this.#length += part.length;
    return this.#length < this.#tryAt ? undefined : this.#attempt();
  }

  /** As `update`, when nothing more comes. */
  end(): { toc: Toc; read: Buffer } {
    const result = this.#attempt();
    if (result === undefined) throw broken('it ends within its table of contents');
    return result;
  }

  #attempt(): { toc: Toc; read: Buffer } | undefined {
    const read = Buffer.concat(this.#parts);
    this.#parts = [read];
    // Each attempt begins anew, so the next one waits for twice as much.
    this.#tryAt = read.length * 2;
    if (read.length > LONGEST) throw broken('its table of contents has no end');
    try {
      return { toc: parse(read), read };
    } catch (error) {
      if (error instanceof NeedMore) return undefined;
      throw error;
    }
  }
}
