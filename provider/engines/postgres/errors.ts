/** The server's and the network's errors as stable reasons with a remedy. Texts are deterministic and hold no secret. */
import { ResourceError } from '../../common/errors.ts';
import { type ErrorPolicy as Policy, fieldsOf as fields, firstLine, networkPolicy } from '../network-errors.ts';

/** SQLSTATE, or its class (two characters), to policy. */
const SQLSTATES: Record<string, Policy> = {
  '28P01': { reason: 'AuthenticationFailed', remedy: 'check user name and password in the credentials Secret' },
  '28000': { reason: 'AuthenticationFailed', remedy: 'check pg_hba.conf, the user name and the TLS mode' },
  '42501': { reason: 'PermissionDenied' },
  '53300': { reason: 'TooManyConnections', remedy: 'lower connectionLimit or raise max_connections' },
  '57P03': { reason: 'ServerUnavailable', remedy: 'the server is starting, stopping or recovering' },
  '57P01': { reason: 'ServerUnavailable', remedy: 'the server is shutting down' },
  '57P02': { reason: 'ServerUnavailable', remedy: 'the server crashed' },
  '57P04': { reason: 'DoesNotExist', remedy: 'the database was dropped meanwhile' },
  '57P05': { reason: 'ServerUnavailable', remedy: 'the server ended an idle session' },
  '57014': { reason: 'StatementTimeout', remedy: 'the statement took too long or was cancelled' },
  '55P03': { reason: 'LockTimeout', remedy: 'another session holds a lock' },
  '25006': {
    reason: 'ReadOnlyServer',
    remedy: 'the endpoint leads to a standby, a reader or a server that was set read-only; use the one of the primary',
  },
  '55000': { reason: 'NotReady', remedy: 'let the database accept connections, or drop it' },
  '55006': {
    reason: 'ObjectInUse',
    remedy: 'end what uses it: sessions, prepared transactions, readers of its replication slots, subscriptions',
  },
  '2BP01': { reason: 'DependentObjects', remedy: 'remove or reassign what depends on it' },
  '3D000': { reason: 'DoesNotExist' },
  '42P04': { reason: 'AlreadyExists' },
  '42P06': { reason: 'AlreadyExists' },
  '42710': { reason: 'AlreadyExists' },
  '23505': { reason: 'AlreadyExists', remedy: 'somebody made it at the same time' },
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
  '40P01': { reason: 'Deadlock', remedy: 'another transaction was in the way' },
  '40': { reason: 'Conflict', remedy: 'another transaction was in the way' },
  '53': { reason: 'ServerUnavailable', remedy: 'the server is out of a resource' },
  '58': { reason: 'ServerUnavailable' },
  '08': { reason: 'Unreachable' },
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
  ['Client was closed', { reason: 'Unreachable', what: 'the connection was lost' }],
  ['Query read timeout', { reason: 'Unreachable', what: 'no answer to a statement' }],
  [
    'Client network socket disconnected before secure TLS connection',
    { reason: 'Unreachable', what: 'the connection was closed during the TLS handshake' },
  ],
  [
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be',
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
    ['57P01', '57P02', '57P04', '57P05', '25P03', 'ECONNRESET', 'EPIPE', '08006', '08003'].includes(code) ||
    message.startsWith('Connection terminated') ||
    message.startsWith('Client has encountered') ||
    message.startsWith('Client was closed')
  );
}

export interface Circumstance {
  /** What was tried, without values: "CREATE ROLE". */
  tried?: string;
  admin?: string;
  /** Address of the server, as the configuration has it. */
  server?: string;
  /** SQLSTATEs that mean something else, or need another remedy, on a server that speaks the same protocol. */
  policies?: Readonly<Record<string, Policy>>;
}

export function toResourceError(error: unknown, { tried, admin, server, policies }: Circumstance = {}): ResourceError {
  if (error instanceof ResourceError) return error;
  const { code, message } = fields(error);
  const network = networkPolicy(code) ?? CLIENT.find(([prefix]) => message.startsWith(prefix))?.[1];
  if (network !== undefined) {
    const place = server === undefined ? '' : `cannot connect to ${server}: `;
    const remedy = network.remedy === undefined ? '' : `; ${network.remedy}`;
    return new ResourceError(network.reason, `${place}${network.what ?? firstLine(message)}${remedy}`, {
      code,
      cause: error,
    });
  }
  const policy = policies?.[code] ?? SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)] ?? { reason: 'ServerRefused' };
  const remedy = code === '42501' ? lackOf(error as ServerError, admin) : (policy.remedy ?? hintOf(error, policy));
  const text = [
    tried === undefined ? '' : `${tried}: `,
    steady(message),
    code === '' ? '' : ` (${code})`,
    code === '2BP01' ? dependents(error as ServerError) : '',
    remedy === undefined ? '' : `; ${remedy}`,
  ].join('');
  return new ResourceError(policy.reason, text, { code, retryable: policy.retryable ?? true, cause: error });
}

/** Of what we know nothing about, the server may know what to do. */
function hintOf(error: unknown, { reason }: Policy): string | undefined {
  const { hint } = (error ?? {}) as Partial<ServerError>;
  return reason === 'ServerRefused' && typeof hint === 'string' ? steady(hint) : undefined;
}

interface ServerError {
  message: string;
  detail?: string;
  hint?: string;
}

/** The first of what depends on it, as the server lists it; the list may be long. */
function dependents({ detail }: ServerError): string {
  const lines = (detail ?? '').split('\n').filter((line) => line !== '');
  if (lines.length === 0) return '';
  const more = lines.length > SHOWN ? ` and ${lines.length - SHOWN} more` : '';
  return `: ${lines.slice(0, SHOWN).join(', ')}${more}`;
}
const SHOWN = 5;

/** Without what differs from one try to the next: a condition that changed each time would never be at rest. */
const steady = (message: string): string =>
  firstLine(message)
    .replace(/ for host "[^"]*"/, ' for this host')
    .replace(/\b(process|PID) \d+/gi, '$1 …')
    .replace(/0x[0-9a-f]{4,}/gi, '0x…');

/** What the administrator lacks, said so that its owner knows which right to give. */
function lackOf({ message, detail, hint }: ServerError, admin = ''): string {
  const who = admin === '' ? 'the administrator' : `administrator ${JSON.stringify(admin)}`;
  if (/permission denied to create role|attribute/i.test(message) && detail === undefined)
    return `${who} needs CREATEROLE`;
  if (/permission denied to create database/i.test(message)) return `${who} needs CREATEDB`;
  if (/terminate process|process is being terminated/.test(message))
    return `${who} needs membership in pg_signal_backend, or in the role of every session that is open`;
  const member = /must be (?:a )?(?:member of|able to SET ROLE) (?:role )?"?([^"]+)"?/.exec(message);
  if (member !== null) return `${who} needs membership in ${JSON.stringify(member[1])}`;
  if (detail?.includes('CONNECT privilege') === true) return `${who} needs CONNECT on it`;
  const admins = /must have admin option on role "([^"]+)"/.exec(message);
  if (admins !== null) return `${who} needs ADMIN OPTION on role ${JSON.stringify(admins[1])}`;
  // From 16 on the server says itself what is needed.
  const said = detail ?? hint;
  return said === undefined ? `${who} lacks a right on it` : `${who} lacks a right: ${firstLine(said)}`;
}

export const codeOf = (error: unknown): string => fields(error).code;
