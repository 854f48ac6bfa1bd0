/**
 * Makes a dump of mysqldump or mariadb-dump one that an ordinary login can load into a database of another name. Only the
 * beginnings of statements are looked at; rows and the bodies of routines pass as they are.
 */

const NEWLINE = 10;
/** What has to be known of a line before it is decided upon. */
const HEAD_BYTES = 8192;

/** As the programs quote it, or as a routine does that was made in the mode ANSI_QUOTES. */
const NAME = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")';
const DEFINER = `DEFINER=${NAME}(?:@${NAME})?`;

/**
 * Whoever loads becomes the definer: another one would need a privilege over accounts, and may not exist here.
 * In front of views, triggers, events, and routines (also as older programs wrote them).
 */
const REWRITES: readonly [RegExp, string][] = [
  [new RegExp(`^(/\\*!\\d+ )${DEFINER} (SQL SECURITY )`), '$1$2'],
  [new RegExp(`^(/\\*!\\d+ CREATE\\*/ )/\\*!\\d+ ${DEFINER}\\*/ `), '$1'],
  [new RegExp(`^(CREATE (?:OR REPLACE )?(?:AGGREGATE )?)${DEFINER} `), '$1'],
  // Around routines of another collation; without a name it is the database that is loaded.
  [new RegExp(`^(ALTER DATABASE )${NAME} `), '$1'],
];

/** MariaDB says the database of the sequence that a column takes its default from; without it, it is the one that is loaded. */
const DEFAULT_OF_SEQUENCE = new RegExp(`^( +${NAME} [^']*? DEFAULT [^']*?\\bnextval\\()${NAME}\\.(${NAME}\\))`, 'i');
const IN_TABLES: readonly [RegExp, string][] = [[DEFAULT_OF_SEQUENCE, '$1$2']];
const CREATE_TABLE = /^CREATE TABLE /;

/** The definer of a view is on its second line. */
const CREATE_VIEW = /^\/\*!\d+ CREATE ALGORITHM=/;

/** Settings of the server or of its log, which are not the data's. */
const SERVERS = /^SET (@@GLOBAL\.|@MYSQLDUMP_TEMP_LOG_BIN|@@SESSION\.SQL_LOG_BIN)/i;

/** A command of MariaDB's client, for itself: it is run in a stricter mode already. */
const SANDBOX = /^\/\*M?!999999\\- /;

/** Lines between statements: comments, blank ones, and those for the client. */
const BETWEEN = /^(-- |--\n|\n|\r\n|DELIMITER |\/\*M?!999999\\- )/;

export class LineRewriter {
  /** The beginning of a line that is not complete yet. */
  #held: Buffer = Buffer.alloc(0);
  #atLineStart = true;
  #atStatementStart = true;
  #between = false;
  #afterCreateView = false;
  #inTable = false;
  #dropping = false;
  #delimiter = ';';
  /** The last bytes of the line, to see whether it ends the statement. */
  #lineEnd = '';

  /** @returns What may be passed on so far. */
  update(part: Buffer): Buffer[] {
    const bytes = this.#held.length === 0 ? part : Buffer.concat([this.#held, part]);
    this.#held = Buffer.alloc(0);
    return this.#lines(bytes, false);
  }

  end(): Buffer[] {
    const bytes = this.#held;
    this.#held = Buffer.alloc(0);
    return this.#lines(bytes, true);
  }

  #lines(bytes: Buffer, last: boolean): Buffer[] {
    const out: Buffer[] = [];
    // Lines that stay as they are go on in one piece.
    let from = 0;
    const passUntil = (end: number): void => {
      if (end > from) out.push(bytes.subarray(from, end));
    };
    for (let at = 0; at < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline + 1;
      if (this.#atLineStart) {
        if (newline < 0 && end - at < HEAD_BYTES && !last) {
          passUntil(at);
          this.#held = Buffer.from(bytes.subarray(at));
          return out;
        }
        const change = this.#beginLine(bytes.toString('latin1', at, Math.min(end, at + HEAD_BYTES)));
        if (change !== undefined) {
          passUntil(at);
          out.push(change.replacement);
          from = at + change.length;
        }
      }
      if (this.#dropping) {
        passUntil(at);
        from = end;
      }
      this.#lineEnd = (this.#lineEnd + bytes.toString('latin1', Math.max(at, end - 4), end)).slice(-4);
      this.#atLineStart = newline >= 0;
      if (newline >= 0) this.#endLine();
      at = end;
    }
    passUntil(bytes.length);
    return out;
  }

  /** @returns How many bytes of the line's beginning are replaced, and by what. */
  #beginLine(head: string): { length: number; replacement: Buffer } | undefined {
    this.#lineEnd = '';
    const secondOfView = this.#afterCreateView;
    this.#afterCreateView = false;
    if (this.#atStatementStart) {
      this.#between = BETWEEN.test(head);
      this.#dropping = SERVERS.test(head) || SANDBOX.test(head);
      this.#afterCreateView = CREATE_VIEW.test(head);
      this.#inTable = CREATE_TABLE.test(head);
      const delimiter = /^DELIMITER (\S+)/.exec(head)?.[1];
      if (delimiter !== undefined) this.#delimiter = delimiter;
    } else if (!secondOfView && !this.#inTable) return undefined;
    if (this.#dropping) return undefined;
    for (const [pattern, replacement] of this.#inTable ? IN_TABLES : REWRITES) {
      const match = pattern.exec(head)?.[0];
      if (match !== undefined)
        return { length: match.length, replacement: Buffer.from(match.replace(pattern, replacement), 'latin1') };
    }
    return undefined;
  }

  #endLine(): void {
    this.#atStatementStart =
      (this.#atStatementStart && this.#between) || this.#lineEnd.trimEnd().endsWith(this.#delimiter);
    if (this.#atStatementStart) this.#dropping = false;
  }
}
