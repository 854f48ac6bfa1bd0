/** Where servers of the rig keep their data: in memory where there is plenty, as it need not outlive them. */
import { statfs } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
const GIB = 1024 ** 3;

/** All servers of a whole run together keep less than 3 GiB; the tests, their programs and the page cache want some too. */
const ENOUGH = { folder: 6 * GIB, memory: 12 * GIB };

export interface Room {
  /** What TMPDIR says. */
  chosen: string | undefined;
  /** Free bytes of the file system in memory; undefined where there is none. */
  folder: number | undefined;
  /** Bytes of memory that programs can still have. */
  memory: number;
}

export const isRoomy = ({ chosen, folder, memory }: Room): boolean =>
  chosen === undefined && folder !== undefined && folder >= ENOUGH.folder && memory >= ENOUGH.memory;

/**
 * A database is some three hundred files, and tests make and drop thousands of databases: on ext4 most of the time of the
 * server goes into looking for inodes that were not deleted a moment ago.
 */
export async function serverFolder(): Promise<string> {
  const folder = await statfs(MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
  return isRoomy({ chosen: process.env['TMPDIR'], folder, memory: freemem() }) ? MEMORY : tmpdir();
}
