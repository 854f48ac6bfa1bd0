/** Counts the rows in the INSERT statements of a dump, byte by byte and without a copy. */
import type { TableRows } from '../manifest.ts';

const NEWLINE = 10;
const QUOTE = 39;
const OPEN = 40;
const CLOSE = 41;
const SEMICOLON = 59;
const BACKSLASH = 92;
const BACKQUOTE = 96;
const INSERT = /^INSERT (?:IGNORE )?INTO `((?:[^`]|``)*)` (?:\((?:`(?:[^`]|``)*`(?:, ?)?)+\) )?VALUES/;
/** Longest beginning of an INSERT: a list of all columns of the widest table. */
const HEAD_BYTES = 1024 * 1024;

/** Whether a statement's beginning ends within a name, which may go on in the next line. */
function isWithinName(head: Buffer): boolean {
  let quotes = 0;
  for (let at = head.indexOf(BACKQUOTE); at >= 0; at = head.indexOf(BACKQUOTE, at + 1)) quotes += 1;
  return quotes % 2 === 1;
}

export class InsertCounter {
  readonly #rows = new Map<string, number>();
  #lineHead: Buffer = Buffer.alloc(0);
  #state: 'lineStart' | 'otherLine' | 'values' = 'lineStart';
  /** Inside a routine or trigger, which is no data. */
  #inBody = false;
  #inString = false;
  #escaped = false;
  #depth = 0;
  #table = '';
  #count = 0;

  update(part: Buffer): void {
    let at = 0;
    while (at < part.length) {
      if (this.#state === 'values') at = this.#values(part, at);
      else if (this.#state === 'otherLine') at = this.#skipLine(part, at);
      else at = this.#beginLine(part, at);
    }
  }

  #skipLine(part: Buffer, at: number): number {
    const newline = part.indexOf(NEWLINE, at);
    if (newline < 0) return part.length;
    this.#state = 'lineStart';
    return newline + 1;
  }

  #beginLine(part: Buffer, at: number): number {
    const newline = part.indexOf(NEWLINE, at);
    const end = newline < 0 ? part.length : newline + 1;
    const held = this.#lineHead.length;
    const fresh = part.subarray(at, Math.min(end, at + HEAD_BYTES - held));
    const head = held === 0 ? fresh : Buffer.concat([this.#lineHead, fresh]);
    const text = head.toString('latin1', 0, Math.min(head.length, 16));
    const mayBeInsert = !this.#inBody && 'INSERT '.startsWith(text.slice(0, 7));
    const match = mayBeInsert ? INSERT.exec(head.toString('latin1')) : null;
    if (match !== null) {
      this.#lineHead = Buffer.alloc(0);
      this.#begin(Buffer.from((match[1] ?? '').replaceAll('``', '`'), 'latin1').toString('utf8'));
      return at + match[0].length - held;
    }
    const undecided =
      newline < 0
        ? mayBeInsert || 'DELIMITER ;;'.startsWith(text.slice(0, 12))
        : text.startsWith('INSERT ') && mayBeInsert && isWithinName(head);
    if (undecided && head.length < HEAD_BYTES) {
      this.#lineHead = Buffer.from(head);
      return end;
    }
    if (text.startsWith('DELIMITER ')) this.#inBody = text.startsWith('DELIMITER ;;');
    this.#lineHead = Buffer.alloc(0);
    this.#state = newline < 0 ? 'otherLine' : 'lineStart';
    return end;
  }

  #begin(table: string): void {
    this.#state = 'values';
    this.#table = table;
    this.#count = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  /** @returns Where to go on: behind the semicolon that ends the statement, or at the end of the part. */
  #values(part: Buffer, from: number): number {
    let at = from;
    for (; at < part.length; at += 1) {
      const byte = part[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN) {
        if (this.#depth === 0) this.#count += 1;
        this.#depth += 1;
      } else if (byte === CLOSE) this.#depth -= 1;
      else if (byte === SEMICOLON && this.#depth === 0) {
        this.#rows.set(this.#table, (this.#rows.get(this.#table) ?? 0) + this.#count);
        this.#state = 'otherLine';
        return at + 1;
      }
    }
    return at;
  }

  /** Rows of every table that has any. */
  get tables(): Map<string, number> {
    return this.#rows;
  }

  /** Whether the dump ends outside of a statement. */
  get complete(): boolean {
    return this.#state !== 'values';
  }
}

export const asTableRows = (rows: ReadonlyMap<string, number>, schema: string): TableRows => ({
  total: [...rows.values()].reduce((sum, count) => sum + count, 0),
  tables: [...rows].map(([table, count]) => ({ schema, table, rows: count })),
});
