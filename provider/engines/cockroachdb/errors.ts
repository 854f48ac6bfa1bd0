/** What CockroachDB's codes mean where PostgreSQL's meaning, or its remedy, would mislead. */
import type { ErrorPolicy } from '../network-errors.ts';
import { codeOf, isLostSession } from '../postgres/errors.ts';

/** "restart transaction": the statement had no effect, and may be sent again. */
export const RESTART = '40001';
/** Whether the statement was carried out cannot be known: what is there now has to be looked at. */
export const UNKNOWN = '40003';
/** A job is in a state in which it cannot be asked for that. */
export const WRONG_STATE = '55000';

const LICENSE: ErrorPolicy = {
  reason: 'LicenseRequired',
  remedy:
    'the cluster has no valid licence, or reports to its vendor no more, and is throttled; set one in enterprise.license',
};

export const COCKROACH_POLICIES: Readonly<Record<string, ErrorPolicy>> = {
  '28000': {
    reason: 'AuthenticationFailed',
    remedy:
      'check the user name, whom the client certificate names, and server.host_based_authentication.configuration of the cluster',
  },
  '53300': {
    reason: 'TooManyConnections',
    remedy: 'lower connectionLimit or raise server.max_connections_per_gateway of the cluster',
  },
  [WRONG_STATE]: { reason: 'NotReady', remedy: 'look at the job with SHOW JOB' },
  XXC01: LICENSE,
  XXC02: LICENSE,
};

/** Whether a read may be asked again: its session is lost, or what it had read so far holds no longer. */
export const mayReadAgain = (error: unknown): boolean => isLostSession(error) || codeOf(error) === RESTART;
