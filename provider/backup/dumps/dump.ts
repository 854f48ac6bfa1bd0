/** What the runner knows of the inside of a dump. */
import type { TableRows } from '../manifest.ts';

/** Looks on while a dump passes, and keeps nothing of it: the memory of a part is soon somebody else's. */
export interface DumpReader {
  update(part: Buffer): void;
  /**
   * To be called after the last part.
   * @returns Rows of every table, where they were counted.
   * @throws RunError FileBroken when the dump is not whole.
   */
  end(): TableRows | undefined;
}

/** A dump on its way into a database. */
export interface Loadable {
  /** What the load tool is fed with. */
  body: AsyncIterable<Buffer>;
  /** postgres: entries of the archive that are loaded. */
  entries?: number[];
  /** What is left out because only an administrator could make it, e.g. "EVENT TRIGGER audit". */
  skipped: string[];
}

/** What differs from format to format. */
export interface DumpFormat {
  /** @param countRows Counting looks at every byte, and is worth it only where it is asked for. */
  reader(countRows: boolean): DumpReader;
  /** A dump as an ordinary login of another database can load it. */
  loadable(dump: AsyncIterable<Buffer>): Promise<Loadable>;
}
