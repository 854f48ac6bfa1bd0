import { expect, test } from 'vitest';
import { lastWords, saysFull } from './last-words.ts';

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
])('a value of a row is left out of %s', async (said, expected) => {
  expect(await lastWords([said])).toBe(expected);
});

test('statements and rows that a tool repeats can be the data of anybody, and are left out', async () => {
  const failed =
    "--------------\nINSERT INTO t VALUES ('a secret\n--------------\nof a person')\n--------------\n\nERROR 1114 (HY000) at line 35: The table 't' is full\n";
  for (const parts of [[failed], failed.split(/(?<=\n|s)/), failed.split('')])
    expect(await lastWords(parts)).toBe("ERROR 1114 (HY000) at line 35: The table 't' is full");
  // One that was killed in the middle of it.
  expect(await lastWords(["mariadb: warned\n--------------\nINSERT INTO t VALUES ('a secret')\n"])).toBe(
    'mariadb: warned',
  );
  expect(
    await lastWords([
      'pg_restore: error: COPY failed for table "t": ERROR:  duplicate key\nDETAIL:  Key (id)=(a secret) already exists.\nCONTEXT:  COPY t, line 1: "a secret"\n',
    ]),
  ).toBe('pg_restore: error: COPY failed for table "t": ERROR:  duplicate key');
});

test.each([
  ['yes', `ERROR 1114 (HY000) at line 3: The table 't' is full`],
  ['yes', 'ERROR 1021 (HY000) at line 3: Disk full (/tmp/x); waiting for someone to free some space...'],
  ['yes', 'ERROR 1005 (HY000) at line 5: Can\'t create table `d`.`t` (errno: 135 "No more room in record file")'],
  ['yes', "ERROR 3675 (HY000) at line 3: Create table/tablespace 't2' failed, as disk is full"],
  ['yes', `ERROR 1030 (HY000) at line 5: Got error 28 from storage engine`],
  ['yes', `ERROR 3 (HY000) at line 5: Error writing file '/tmp/x' (Errcode: 122 "Disk quota exceeded")`],
  [
    'yes',
    'pg_restore: error: could not execute query: ERROR:  could not extend file "base/5/1": No space left on device',
  ],
  ['yes', 'ERROR:  could not extend file "base/5/1": wrote only 4096 of 8192 bytes at block 9'],
  ['yes', 'ERROR:  could not extend file because project size limit (512 MB) has been exceeded'],
  ['likely', 'ERROR 1180 (HY000) at line 2: Got error 1 "Operation not permitted" during COMMIT'],
  ['no', `ERROR 1062 (23000) at line 9: Duplicate entry … for key 't.PRIMARY'`],
  ['no', 'ERROR 2013 (HY000) at line 13: Lost connection to server during query'],
] as const)('whether a server is full is told from its words: %s, %s', (full, words) => {
  expect(saysFull(words)).toBe(full);
});
