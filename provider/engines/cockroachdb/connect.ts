/** Opens sessions on CockroachDB, which speaks PostgreSQL's protocol. */
import type { Client } from 'pg';
import type { ConnectionSettings } from '../engine.ts';
import { type Login, openClient } from '../postgres/connect.ts';
import { COCKROACH_POLICIES } from './errors.ts';

/** Schema changes wait for every node, and changes of memberships for leases of minutes. */
export const STATEMENT_MS = 8 * 60_000;

/** As settings of the login: a SET of its own would be a round trip each. */
const OPTIONS = [
  `statement_timeout=${STATEMENT_MS}`,
  'idle_in_transaction_session_timeout=60000',
  'client_min_messages=warning',
  'allow_role_memberships_to_change_during_transaction=true',
]
  .map((option) => `-c ${option}`)
  .join(' ');

/** Throws ResourceError. */
export const openSession = async (settings: ConnectionSettings, database: string): Promise<Client> =>
  await openClient(settings, database, undefined, { options: OPTIONS, policies: COCKROACH_POLICIES });

/**
 * As somebody else, by password: the administrator's certificate would be taken for that login and refused. Its session
 * has the server's own settings.
 */
export async function openAs(settings: ConnectionSettings, database: string, login: Login): Promise<Client> {
  const { cert: _cert, key: _key, ...tls } = settings.tls;
  return await openClient({ ...settings, tls }, database, login, { policies: COCKROACH_POLICIES });
}
