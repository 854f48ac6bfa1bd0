/** Longest text that becomes part of a message. */
const LONGEST = 1200;

/** Lines in which tools repeat statements or rows, which can be anybody's data. */
const REPEATED = /^\s*(DETAIL|CONTEXT|STATEMENT|QUERY|LINE \d+|Command was)\b/i;

/** Where servers put a value of a row into the error itself: "Duplicate entry 'x' for key", "syntax for type integer: "x"". */
const VALUE_OF_ROW = /(\b(?:entry|value:?) )'.*'(?= for (?:key|column|function)\b)|(\bfor type [^:]+: )".*"/g;

/** Between two of these mariadb repeats the statement that failed, rows and all. */
const RULE = '-'.repeat(14);

function withoutStatement(lines: readonly string[]): readonly string[] {
  const [first, last] = [lines.indexOf(RULE), lines.lastIndexOf(RULE)];
  if (first < 0) return lines;
  return [...lines.slice(0, first), ...(first === last ? [] : lines.slice(last + 1))];
}

/** The end of what a tool wrote to standard error, without blank lines, repeated statements and rows. */
export function lastWords(log: string): string {
  const lines = withoutStatement(log.split('\n').map((line) => line.trimEnd()))
    // What follows a repeated statement over several lines begins with no name of a program.
    .filter((line) => line !== '' && !REPEATED.test(line));
  const said = lines
    .slice(-12)
    .map((line) => line.replaceAll(VALUE_OF_ROW, '$1$2…'))
    .join('; ');
  return said.length > LONGEST ? `…${said.slice(-LONGEST)}` : said;
}
