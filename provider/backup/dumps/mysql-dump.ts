/** What mysqldump and mariadb-dump write. */
import { RunError } from '../errors.ts';
import type { TableRows } from '../manifest.ts';
import type { DumpFormat, DumpReader } from './dump.ts';
import { asTableRows, InsertCounter } from './insert-counter.ts';
import { LineRewriter } from './sql-lines.ts';

/** Both programs say so at the very end, and only when nothing went wrong. */
const COMPLETED = '-- Dump completed';
const TAIL_BYTES = 256;

class SqlReader implements DumpReader {
  readonly #counter: InsertCounter | undefined;
  #tail = '';

  constructor(countRows: boolean) {
    this.#counter = countRows ? new InsertCounter() : undefined;
  }

  update(part: Buffer): void {
    this.#counter?.update(part);
    this.#tail = (this.#tail + part.toString('latin1', Math.max(0, part.length - TAIL_BYTES))).slice(-TAIL_BYTES);
  }

  end(): TableRows | undefined {
    if (this.#counter?.complete === false || !this.#tail.includes(`\n${COMPLETED}`))
      throw new RunError('FileBroken', `the dump does not end with the line "${COMPLETED}"`);
    // Names of schemas do not matter to MySQL: a dump is of one database.
    return this.#counter === undefined ? undefined : asTableRows(this.#counter.tables, '');
  }
}

async function* rewritten(dump: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const rewriter = new LineRewriter();
  for await (const part of dump) yield* rewriter.update(part);
  yield* rewriter.end();
}

export const mysqlDump: DumpFormat = {
  reader: (countRows) => new SqlReader(countRows),
  loadable: async (dump) => ({ body: rewritten(dump), skipped: [] }),
};
