/** Longest text that becomes part of a message. */
const LONGEST = 1200;

/** Lines in which tools repeat statements or rows, which can be anybody's data. */
const REPEATED = /^\s*(DETAIL|CONTEXT|STATEMENT|QUERY|LINE \d+|Command was)\b/i;

/** Where servers put a value of a row into the error itself: "Duplicate entry 'x' for key", "syntax for type integer: "x"". */
const VALUE_OF_ROW = /(\b(?:entry|value:?) )'.*'(?= for (?:key|column|function)\b)|(\bfor type [^:]+: )".*"/g;

/** Between two of these mariadb repeats the statement that failed, rows and all. */
const RULE = '-'.repeat(14);

/** What is longer is no message, but a row. */
const LONGEST_LINE = 16 * 1024;
/** Lines that are kept. */
const LINES = 12;

/** Lines of a text that is read in parts, of which no more is held than the longest message. */
async function* linesOf(parts: AsyncIterable<string> | Iterable<string>): AsyncIterable<string> {
  let line = '';
  for await (const part of parts) {
    const [first = '', ...others] = part.split('\n');
    line = (line + first).slice(0, LONGEST_LINE + 1);
    for (const next of others) {
      if (line.length <= LONGEST_LINE) yield line.trimEnd();
      line = next.slice(0, LONGEST_LINE + 1);
    }
  }
  if (line.length <= LONGEST_LINE) yield line.trimEnd();
}

/** The last lines without what stands between the first and the last rule; of a statement that was cut off, nothing. */
async function outsideOfStatement(lines: AsyncIterable<string>): Promise<string[]> {
  const before: string[] = [];
  let after: string[] = [];
  let rules = 0;
  for await (const line of lines) {
    if (line === RULE) {
      rules += 1;
      after = [];
      // What follows a repeated statement over several lines begins with no name of a program.
    } else if (line !== '' && !REPEATED.test(line)) {
      const kept = rules === 0 ? before : after;
      kept.push(line);
      if (kept.length > LINES) kept.shift();
    }
  }
  return rules < 2 ? before : [...before, ...after];
}

/**
 * The end of what a tool wrote to standard error, without blank lines, repeated statements and rows: mariadb repeats a
 * statement that failed, however long it is.
 */
export async function lastWords(log: AsyncIterable<string> | Iterable<string>): Promise<string> {
  const lines = await outsideOfStatement(linesOf(log));
  const said = lines
    .slice(-LINES)
    .map((line) => line.replaceAll(VALUE_OF_ROW, '$1$2…'))
    .join('; ');
  return said.length > LONGEST ? `…${said.slice(-LONGEST)}` : said;
}

/**
 * As the servers and their clients say that a disk or a quota is full. 1021 and 3675 are "disk full" of MySQL and MariaDB, and
 * 1114 "table is full"; 28, 122, 135 and 136 the numbers of their storage for no space, quota, and no room in a file.
 */
const NO_SPACE =
  /No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes|project size limit|\bERROR (1021|1114|3675)\b|\b(errno:|Errcode:|Got error) (28|122|135|136)\b/i;

/** What MariaDB makes of any failure to store what it took in bulk, which is the first that a dump gives it of each table. */
const BULK = /\bERROR 1180\b.*\bGot error 1 /;

/** Whether a tool failed because its server is full, from its last words: for certain, most likely, or not. */
export const saysFull = (words: string): 'yes' | 'likely' | 'no' =>
  NO_SPACE.test(words) ? 'yes' : BULK.test(words) ? 'likely' : 'no';
