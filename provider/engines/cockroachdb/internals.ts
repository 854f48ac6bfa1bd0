/** Tables and functions of the server's own, which newer versions give only to sessions that ask for them. */
import type { Session } from '../postgres/session.ts';

/** The first version that knows the variable; later ones have it off. */
const GUARDED = 250_400;

export async function withInternals<T>(session: Session, versionNumber: number, work: () => Promise<T>): Promise<T> {
  if (versionNumber < GUARDED) return await work();
  await session.query('SET allow_unsafe_internals = on', []);
  try {
    return await work();
  } finally {
    await session.query('SET allow_unsafe_internals = off', []);
  }
}
