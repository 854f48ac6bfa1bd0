import { expect, test } from 'vitest';
import { lastWords } from './last-words.ts';

test.each([
  [
    "ERROR 1062 (23000) at line 9: Duplicate entry 'it's me' for key 't.PRIMARY'",
    "ERROR 1062 (23000) at line 9: Duplicate entry … for key 't.PRIMARY'",
  ],
  [
    "ERROR 1366 (HY000) at line 9: Incorrect integer value: 'a secret' for column `d`.`t`.`n` at row 1",
    'ERROR 1366 (HY000) at line 9: Incorrect integer value: … for column `d`.`t`.`n` at row 1',
  ],
  ['ERROR:  invalid input syntax for type integer: "a secret"', 'ERROR:  invalid input syntax for type integer: …'],
])('a value of a row is left out of %s', (said, expected) => {
  expect(lastWords(said)).toBe(expected);
});

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
