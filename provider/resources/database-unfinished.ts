/**
 * CREATE and DROP DATABASE are in no transaction, so there is a moment between them and what belongs to them (owner, mark,
 * sessions to be ended) in which the process may die. In that moment the database takes no connections, and its limit of
 * connections is a number that only the resource that makes or drops it would give it: so the next look knows whose it is
 * and goes on, and nobody can have put anything into it.
 */
import { createHash } from 'node:crypto';
import type { DatabaseObserved } from './model/databases.ts';
import type { Mark } from './model/objects.ts';

/** More than any server has, and with 30 bits of the digest still a 32-bit integer. */
const BEYOND_ANY_LIMIT = 1_000_000_000;

/** The limit of connections by which an unfinished database says whose it is. */
export function unfinishedLimit(name: string, { uid }: Pick<Mark, 'uid'>): number {
  const digest = createHash('sha256').update(`${uid}\0${name}`).digest();
  return BEYOND_ANY_LIMIT + (digest.readUInt32BE() >>> 2);
}

export const isUnfinished = (
  { name, allowConnections, connectionLimit }: DatabaseObserved,
  mark: Pick<Mark, 'uid'>,
): boolean => allowConnections === false && connectionLimit === unfinishedLimit(name, mark);
