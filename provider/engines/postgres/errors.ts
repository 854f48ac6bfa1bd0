/** The server's and the network's errors as stable reasons with a remedy. Texts are deterministic and hold no secret. */
import { ResourceError } from '../../resources/errors.ts';

interface Policy {
  reason: string;
  /** What the user can do; added to what the server said. */
  remedy?: string;
  /** False: nothing changes until somebody edits something. */
  retryable?: boolean;
}

/** SQLSTATE, or its class (two characters), to policy. */
const SQLSTATES: Record<string, Policy> = {
  '28P01': { reason: 'AuthenticationFailed', remedy: 'check user name and password in the credentials Secret' },
  '28000': { reason: 'AuthenticationFailed', remedy: 'check pg_hba.conf, the user name and the TLS mode' },
  '42501': { reason: 'PermissionDenied' },
  '53300': { reason: 'TooManyConnections', remedy: 'lower connectionLimit or raise max_connections' },
  '57P03': { reason: 'ServerUnavailable', remedy: 'the server is starting, stopping or recovering' },
  '57P01': { reason: 'ServerUnavailable', remedy: 'the server is shutting down' },
  '57P02': { reason: 'ServerUnavailable', remedy: 'the server crashed' },
  '57014': { reason: 'StatementTimeout', remedy: 'the statement took too long or was cancelled' },
  '55P03': { reason: 'LockTimeout', remedy: 'another session holds a lock' },
  '25006': {
    reason: 'ReadOnlyServer',
    remedy: 'the endpoint leads to a standby or a reader; use the one of the primary',
  },
  '55006': { reason: 'ObjectInUse', remedy: 'end the sessions that use it' },
  '2BP01': { reason: 'DependentObjects', remedy: 'remove or reassign what depends on it' },
  '3D000': { reason: 'DoesNotExist' },
  '42P04': { reason: 'AlreadyExists' },
  '42P06': { reason: 'AlreadyExists' },
  '42710': { reason: 'AlreadyExists' },
  '42704': { reason: 'DoesNotExist' },
  '42P01': { reason: 'DoesNotExist' },
  '42883': { reason: 'DoesNotExist' },
  '3F000': { reason: 'DoesNotExist' },
  '0LP01': { reason: 'GrantRefused' },
  '0A000': { reason: 'NotSupported', retryable: false },
  '22023': { reason: 'InvalidSpec', retryable: false },
  '42602': { reason: 'InvalidSpec', retryable: false },
  '42601': { reason: 'ServerRefused', retryable: false },
  '42': { reason: 'ServerRefused' },
  '22': { reason: 'InvalidSpec', retryable: false },
  '40': { reason: 'Conflict', remedy: 'another transaction was in the way' },
  '53': { reason: 'ServerUnavailable', remedy: 'the server is out of a resource' },
  '58': { reason: 'ServerUnavailable' },
  '08': { reason: 'Unreachable' },
};

/** What Node says when there is no conversation at all. */
const NETWORK: Record<string, Policy & { what: string }> = {
  ECONNREFUSED: {
    reason: 'Unreachable',
    what: 'connection refused',
    remedy: 'check endpoint and port, and that the server runs',
  },
  ENOTFOUND: { reason: 'Unreachable', what: 'the host name is not known', remedy: 'check endpoint' },
  EAI_AGAIN: { reason: 'Unreachable', what: 'the host name cannot be looked up now' },
  ETIMEDOUT: { reason: 'Unreachable', what: 'no answer', remedy: 'check endpoint, firewall and network policies' },
  EHOSTUNREACH: { reason: 'Unreachable', what: 'no route to the host' },
  ENETUNREACH: { reason: 'Unreachable', what: 'no route to the network' },
  ECONNRESET: { reason: 'Unreachable', what: 'the connection was closed by the other side' },
  EPIPE: { reason: 'Unreachable', what: 'the connection was closed by the other side' },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    reason: 'CertificateUntrusted',
    what: 'the certificate is for another host',
    remedy: 'use a name that is in the certificate as endpoint or tls.serverName',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    reason: 'CertificateUntrusted',
    what: 'the certificate is self-signed',
    remedy: 'give the CA in tls.caSecretRef',
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    reason: 'CertificateUntrusted',
    what: 'the certificate is from a private CA',
    remedy: 'give the CA in tls.caSecretRef',
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    reason: 'CertificateUntrusted',
    what: 'the CA of the certificate is not known',
    remedy: 'give the CA in tls.caSecretRef',
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    reason: 'CertificateUntrusted',
    what: 'the CA of the certificate is not known',
    remedy: 'give the CA in tls.caSecretRef',
  },
  UNABLE_TO_GET_ISSUER_CERT: {
    reason: 'CertificateUntrusted',
    what: 'the CA of the certificate is not known',
    remedy: 'give the CA in tls.caSecretRef',
  },
  CERT_SIGNATURE_FAILURE: {
    reason: 'CertificateUntrusted',
    what: 'the certificate was not signed by the CA that is given',
    remedy: 'check tls.caSecretRef',
  },
  CERT_HAS_EXPIRED: { reason: 'CertificateUntrusted', what: 'the certificate has expired' },
  CERT_NOT_YET_VALID: { reason: 'CertificateUntrusted', what: 'the certificate is not valid yet' },
};

/** What `pg` itself says, by the beginning of its text. */
const CLIENT: [prefix: string, policy: Policy & { what: string }][] = [
  [
    'The server does not support SSL connections',
    {
      reason: 'TlsRefused',
      what: 'the server does not offer TLS',
      remedy: 'turn on TLS on the server, or set tls.mode to disable or prefer',
    },
  ],
  ['Connection terminated', { reason: 'Unreachable', what: 'the connection was closed by the other side' }],
  [
    'timeout expired',
    { reason: 'Unreachable', what: 'no answer', remedy: 'check endpoint, firewall and network policies' },
  ],
  ['Client has encountered a connection error', { reason: 'Unreachable', what: 'the connection was lost' }],
  [
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string',
    {
      reason: 'AuthenticationFailed',
      what: 'the server asks for a password and there is none',
      remedy: 'give one in the credentials Secret',
    },
  ],
];

/** Seen when two sessions change one catalog row, or wait for each other: the whole transaction is run again. */
export function isRetryable(error: unknown): boolean {
  const { code, message } = fields(error);
  return code === '40P01' || code === '40001' || (code === 'XX000' && message.includes('tuple concurrently'));
}

/** Whether the session is lost, so that a read may be asked again on another one. */
export function isLostSession(error: unknown): boolean {
  const { code, message } = fields(error);
  return (
    ['57P01', '57P02', 'ECONNRESET', 'EPIPE', '08006', '08003'].includes(code) ||
    message.startsWith('Connection terminated') ||
    message.startsWith('Client has encountered')
  );
}

export interface Circumstance {
  /** What was tried, without values: "CREATE ROLE". */
  tried?: string;
  admin?: string;
  /** Address of the server, as the configuration has it. */
  server?: string;
}

export function toResourceError(error: unknown, { tried, admin, server }: Circumstance = {}): ResourceError {
  if (error instanceof ResourceError) return error;
  const { code, message } = fields(error);
  const network = NETWORK[code] ?? CLIENT.find(([prefix]) => message.startsWith(prefix))?.[1];
  if (network !== undefined)
    return new ResourceError(
      network.reason,
      `${server === undefined ? '' : `cannot connect to ${server}: `}${network.what}${network.remedy === undefined ? '' : `; ${network.remedy}`}`,
      { code, cause: error },
    );
  const policy = SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)] ?? { reason: 'ServerRefused' };
  const remedy = code === '42501' ? lackOf(message, admin) : policy.remedy;
  const text = [
    tried === undefined ? '' : `${tried}: `,
    firstLine(message),
    code === '' ? '' : ` (${code})`,
    remedy === undefined ? '' : `; ${remedy}`,
  ].join('');
  return new ResourceError(policy.reason, text, { code, retryable: policy.retryable ?? true, cause: error });
}

/** What the administrator lacks, said so that its owner knows which right to give. */
function lackOf(message: string, admin = 'the administrator'): string {
  const who = admin === 'the administrator' ? admin : `administrator ${JSON.stringify(admin)}`;
  if (/create role/i.test(message)) return `${who} needs CREATEROLE`;
  if (/create database/i.test(message)) return `${who} needs CREATEDB`;
  const member = /must be (?:a )?(?:member of|able to SET ROLE) (?:role )?"?([^"]+)"?/.exec(message);
  if (member !== null) return `${who} needs membership in ${JSON.stringify(member[1])}`;
  return `${who} lacks a right on it`;
}

function fields(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code } = error as { code?: unknown };
  // With several addresses behind one name, Node reports all failures in one error without a text.
  const inner = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  return { code: typeof code === 'string' ? code : '', message: error.message || inner?.message || 'unknown error' };
}

/** The rest of a message may quote what was sent. */
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';
