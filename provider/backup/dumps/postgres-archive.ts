/** PostgreSQL's custom format: rows are counted, completeness is checked, and what an ordinary login may load is chosen. */
import { RunError } from '../errors.ts';
import type { TableRows } from '../manifest.ts';
import { type Toc, type TocEntry, TocReader } from './archive-toc.ts';
import type { DumpFormat, DumpReader, Loadable } from './dump.ts';

const DATA_BLOCK = 1;
const LARGE_OBJECTS_BLOCK = 3;
const NEWLINE = 10;
/** Ends the rows of a COPY; the newlines after it are no rows. */
const END_OF_ROWS = '\\.\n\n\n';

type Expected = 'block' | 'id' | 'length' | 'chunk' | 'object' | 'objectLength' | 'objectChunk';

/** Walks over the blocks that follow the table of contents, however they are cut into parts. */
class ArchiveReader implements DumpReader {
  readonly #countRows: boolean;
  readonly #tocReader = new TocReader();
  #toc: Toc | undefined;
  #expected: Expected = 'block';
  #blockType = DATA_BLOCK;
  /** Bytes of an integer that is not complete. */
  #held: Buffer = Buffer.alloc(0);
  #left = 0;
  #tail = '';
  #rows = 0;
  #blocks = 0;
  #table: TocEntry | undefined;
  #byId = new Map<number, TocEntry>();
  readonly #tables: TableRows['tables'] = [];

  constructor(countRows: boolean) {
    this.#countRows = countRows;
  }

  update(part: Buffer): void {
    if (this.#toc !== undefined) {
      this.#walk(part);
      return;
    }
    const begun = this.#tocReader.update(part);
    if (begun !== undefined) this.#begin(begun.toc, begun.read);
  }

  #begin(toc: Toc, read: Buffer): void {
    this.#toc = toc;
    this.#byId = new Map(toc.entries.map((entry) => [entry.id, entry]));
    this.#walk(read.subarray(toc.length));
  }

  #walk(part: Buffer): void {
    let at = 0;
    while (at < part.length) {
      if (this.#expected === 'chunk' || this.#expected === 'objectChunk') {
        const length = Math.min(this.#left, part.length - at);
        if (this.#expected === 'chunk' && this.#countRows) this.#count(part.subarray(at, at + length));
        at += length;
        this.#left -= length;
        if (this.#left === 0) this.#expected = this.#expected === 'chunk' ? 'length' : 'objectLength';
        continue;
      }
      const size = this.#expected === 'block' ? 1 : 1 + (this.#toc?.intSize ?? 4);
      const taken = part.subarray(at, at + size - this.#held.length);
      at += taken.length;
      const bytes = this.#held.length === 0 ? taken : Buffer.concat([this.#held, taken]);
      if (bytes.length < size) {
        this.#held = Buffer.from(bytes);
        return;
      }
      this.#held = Buffer.alloc(0);
      this.#take(size === 1 ? (bytes[0] ?? 0) : bytes.readUIntLE(1, size - 1));
    }
  }

  /** One integer of the structure. */
  #take(value: number): void {
    switch (this.#expected) {
      case 'block':
        if (value !== DATA_BLOCK && value !== LARGE_OBJECTS_BLOCK)
          throw new RunError('FileBroken', `the dump has a block of unknown type ${value}`);
        this.#blockType = value;
        this.#expected = 'id';
        break;
      case 'id':
        this.#table = this.#byId.get(value);
        if (this.#table === undefined)
          throw new RunError('FileBroken', 'the dump has a block that is not in its table of contents');
        this.#blocks += 1;
        this.#rows = 0;
        this.#tail = '';
        this.#expected = this.#blockType === DATA_BLOCK ? 'length' : 'object';
        break;
      case 'length':
        this.#left = value;
        this.#expected = value === 0 ? 'block' : 'chunk';
        if (value === 0) this.#endBlock();
        break;
      case 'object':
        this.#expected = value === 0 ? 'block' : 'objectLength';
        break;
      default:
        this.#left = value;
        this.#expected = value === 0 ? 'object' : 'objectChunk';
    }
  }

  #count(rows: Buffer): void {
    for (let at = rows.indexOf(NEWLINE); at >= 0; at = rows.indexOf(NEWLINE, at + 1)) this.#rows += 1;
    const end = rows.subarray(-END_OF_ROWS.length).toString('latin1');
    this.#tail = `${this.#tail}${end}`.slice(-END_OF_ROWS.length);
  }

  #endBlock(): void {
    if (this.#table?.kind !== 'TABLE DATA') return;
    const rows = this.#tail === END_OF_ROWS ? this.#rows - 3 : this.#rows;
    this.#tables.push({ schema: this.#table.schema, table: this.#table.name, rows });
  }

  end(): TableRows | undefined {
    if (this.#toc === undefined) {
      const { toc, read } = this.#tocReader.end();
      this.#begin(toc, read);
    }
    const expected = this.#toc?.entries.filter((entry) => entry.hasData).length ?? 0;
    if (this.#expected !== 'block' || this.#blocks !== expected)
      throw new RunError(
        'FileBroken',
        `the dump ends within its data: ${this.#blocks} of ${expected} blocks are there`,
      );
    if (!this.#countRows) return undefined;
    return { total: this.#tables.reduce((sum, { rows }) => sum + rows, 0), tables: this.#tables };
  }
}

/** Kinds that belong to the server or to its administrator, not to the data. */
const ADMINISTRATORS = /^(EVENT TRIGGER|PUBLICATION( TABLES? IN SCHEMA| TABLE)?|SUBSCRIPTION( TABLE)?)$/;
const COMMENT_OF_THEM = /^(EVENT TRIGGER|PUBLICATION|SUBSCRIPTION) /;

/** A comment of an extension may be changed by the extension's owner only, and says the same everywhere. */
const isExtensionComment = ({ kind, name }: TocEntry): boolean => kind === 'COMMENT' && name.startsWith('EXTENSION ');

const isAdministrators = ({ kind, name }: TocEntry): boolean =>
  ADMINISTRATORS.test(kind) || (kind === 'COMMENT' && COMMENT_OF_THEM.test(name));

async function loadable(dump: AsyncIterable<Buffer>): Promise<Loadable> {
  const iterator = dump[Symbol.asyncIterator]();
  const reader = new TocReader();
  let begun: { toc: Toc; read: Buffer } | undefined;
  while (begun === undefined) {
    const next = await iterator.next();
    begun = next.done === true ? reader.end() : reader.update(next.value);
  }
  const { toc, read } = begun;
  const rest = async function* (): AsyncIterable<Buffer> {
    try {
      yield read;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  return {
    body: rest(),
    entries: toc.entries.filter((entry) => !isAdministrators(entry) && !isExtensionComment(entry)).map(({ id }) => id),
    skipped: toc.entries
      .filter((entry) => isAdministrators(entry) && entry.kind !== 'COMMENT')
      .map(({ kind, name }) => `${kind} ${name}`),
  };
}

export const postgresArchive: DumpFormat = { reader: (countRows) => new ArchiveReader(countRows), loadable };
