import type { Session } from '../../postgres/session.ts';

/** Sessions of the administrator: in the database that is its home, and in any other. */
export interface Placing {
  admin: <T>(work: (session: Session) => Promise<T>) => Promise<T>;
  inside: <T>(database: string, work: (session: Session) => Promise<T>) => Promise<T>;
}
