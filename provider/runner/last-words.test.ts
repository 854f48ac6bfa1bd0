import { expect, test } from 'vitest';
import { lastWords } from './last-words.ts';

test('statements and rows that a tool repeats can be the data of anybody, and are left out', () => {
  expect(
    lastWords(
      "--------------\nINSERT INTO t VALUES ('a secret\n--------------\nof a person')\n--------------\n\nERROR 1114 (HY000) at line 35: The table 't' is full\n",
    ),
  ).toBe("ERROR 1114 (HY000) at line 35: The table 't' is full");
  // One that was killed in the middle of it.
  expect(lastWords("mariadb: warned\n--------------\nINSERT INTO t VALUES ('a secret')\n")).toBe('mariadb: warned');
  expect(
    lastWords(
      'pg_restore: error: COPY failed for table "t": ERROR:  duplicate key\nDETAIL:  Key (id)=(a secret) already exists.\nCONTEXT:  COPY t, line 1: "a secret"\n',
    ),
  ).toBe('pg_restore: error: COPY failed for table "t": ERROR:  duplicate key');
});
