/** The server's and the network's errors as stable reasons with a remedy. Texts are deterministic and hold no secret. */
import { ResourceError } from '../../common/errors.ts';
import { type ErrorPolicy, fieldsOf, firstLine, networkPolicy } from '../network-errors.ts';

/** Error numbers of MySQL and MariaDB; those from 3000 on are MySQL's, those around 1900 and 4000 MariaDB's. */
const NUMBERS: Record<number, ErrorPolicy> = {
  // Logging in.
  1045: { reason: 'AuthenticationFailed', remedy: 'check user name and password in the credentials Secret' },
  1698: { reason: 'AuthenticationFailed', remedy: 'the account logs in another way, check its authentication plugin' },
  1130: {
    reason: 'AuthenticationFailed',
    remedy: 'no account of the server may log in from the address of this client',
  },
  1251: { reason: 'AuthenticationFailed', remedy: 'the account has an authentication plugin that is too old' },
  1820: { reason: 'AuthenticationFailed', remedy: 'the password has expired: set another' },
  1862: { reason: 'AuthenticationFailed', remedy: 'the password has expired: set another' },
  3118: { reason: 'AuthenticationFailed', remedy: 'unlock the account' },
  4151: { reason: 'AuthenticationFailed', remedy: 'unlock the account' },
  3955: { reason: 'AuthenticationFailed', remedy: 'the account is locked for a while after wrong passwords' },
  4150: { reason: 'AuthenticationFailed', remedy: 'the account is blocked after wrong passwords: FLUSH PRIVILEGES' },
  3159: { reason: 'TlsRefused', remedy: 'the server takes no connection without TLS: set tls.mode' },
  1040: { reason: 'TooManyConnections', remedy: 'lower connectionLimit or raise max_connections' },
  1203: { reason: 'TooManyConnections', remedy: 'lower connectionLimit or raise max_user_connections' },
  1226: { reason: 'TooManyConnections', remedy: 'the account has used up a limit of its own' },
  1129: { reason: 'ServerUnavailable', remedy: 'the server refuses this host after too many errors: FLUSH HOSTS' },
  // Rights.
  1044: { reason: 'PermissionDenied', remedy: 'grant it to the administrator' },
  1142: { reason: 'PermissionDenied', remedy: 'grant it to the administrator' },
  1143: { reason: 'PermissionDenied', remedy: 'grant it to the administrator' },
  1227: { reason: 'PermissionDenied' },
  1370: { reason: 'PermissionDenied', remedy: 'grant it to the administrator' },
  1410: { reason: 'PermissionDenied', remedy: 'the administrator needs the CREATE USER privilege' },
  1961: { reason: 'PermissionDenied', remedy: 'the administrator needs ADMIN OPTION on the role' },
  3878: { reason: 'PermissionDenied', remedy: 'the administrator needs ROLE_ADMIN, or ADMIN OPTION on the role' },
  // The server as a whole.
  1836: { reason: 'ReadOnlyServer', remedy: 'the server is read-only' },
  1792: { reason: 'ReadOnlyServer', remedy: 'the server begins every transaction read-only (transaction_read_only)' },
  3100: {
    reason: 'ReadOnlyServer',
    remedy: 'the endpoint leads to a replica of the group; use the one of the primary',
  },
  1053: { reason: 'ServerUnavailable', remedy: 'the server is shutting down' },
  1927: { reason: 'ServerUnavailable', remedy: 'the session was ended on the server' },
  4031: { reason: 'ServerUnavailable', remedy: 'the server ended an idle session' },
  1021: { reason: 'ServerUnavailable', remedy: 'the disk of the server is full' },
  1037: { reason: 'ServerUnavailable', remedy: 'the server is out of memory' },
  1041: { reason: 'ServerUnavailable', remedy: 'the server is out of memory' },
  1317: { reason: 'StatementTimeout', remedy: 'the statement was cancelled' },
  3024: { reason: 'StatementTimeout', remedy: 'the statement took too long' },
  1969: { reason: 'StatementTimeout', remedy: 'the statement took too long' },
  1205: { reason: 'LockTimeout', remedy: 'another session holds a lock' },
  1213: { reason: 'Deadlock', remedy: 'another transaction was in the way' },
  // What is there, and what is not.
  1007: { reason: 'AlreadyExists' },
  1008: { reason: 'DoesNotExist' },
  1049: { reason: 'DoesNotExist' },
  1051: { reason: 'DoesNotExist' },
  1054: { reason: 'DoesNotExist' },
  1146: { reason: 'DoesNotExist' },
  1305: { reason: 'DoesNotExist' },
  3523: { reason: 'DoesNotExist' },
  4006: { reason: 'DependentObjects', remedy: 'drop what names the account as its definer, or give it another one' },
  1133: { reason: 'DoesNotExist' },
  1959: { reason: 'DoesNotExist' },
  1396: { reason: 'Conflict', remedy: 'the account was made or dropped by somebody else at the same time' },
  3162: { reason: 'Conflict', remedy: 'the account was made or dropped by somebody else at the same time' },
  1010: { reason: 'ObjectInUse', remedy: 'the folder of the database holds files that are not tables' },
  // What the spec asks for.
  1115: { reason: 'InvalidSpec', remedy: 'SHOW CHARACTER SET lists what the server has', retryable: false },
  1273: { reason: 'InvalidSpec', remedy: 'SHOW COLLATION lists what the server has', retryable: false },
  1253: { reason: 'InvalidSpec', retryable: false },
  1470: { reason: 'InvalidSpec', retryable: false },
  1827: { reason: 'InvalidSpec', retryable: false },
  1372: { reason: 'InvalidSpec', retryable: false },
  1819: { reason: 'PasswordRefused', remedy: 'the password does not satisfy the policy of the server' },
  4052: { reason: 'InvalidSpec', remedy: 'the server refuses that authentication_policy', retryable: false },
  1235: { reason: 'NotSupported', retryable: false },
  1064: { reason: 'ServerRefused', retryable: false },
};

/** MariaDB 10.11 says no more of a session that its require_secure_transport forbids. */
const WITHOUT_TLS = '; a server that takes no session without TLS may say the same: set tls.mode';

const OPTION_PREVENTS = 1290;
/** Its message names the option of the server that is in the way. */
const BY_OPTION: readonly (readonly [RegExp, ErrorPolicy])[] = [
  [/read[-_]only/, { reason: 'ReadOnlyServer', remedy: 'the endpoint leads to a replica; use the one of the primary' }],
  [
    /strict-password-validation/,
    {
      reason: 'PasswordRefused',
      remedy: 'the server checks passwords and takes none that is hashed: give the password itself',
    },
  ],
  [/skip-grant-tables/, { reason: 'ServerRefused', remedy: 'restart the server without skip-grant-tables' }],
];

/** What means something else once somebody is logged in: GRANT and REVOKE refuse with the codes of a login. */
const IN_STATEMENTS: Record<number, ErrorPolicy> = {
  1045: { reason: 'PermissionDenied', remedy: 'the administrator has to have it itself, WITH GRANT OPTION' },
  1698: {
    reason: 'PermissionDenied',
    remedy: 'the administrator has to have it itself, with the option to pass it on',
  },
};

/** What the driver itself says. */
const CLIENT: Record<string, ErrorPolicy> = {
  HANDSHAKE_NO_SSL_SUPPORT: {
    reason: 'TlsRefused',
    what: 'the server does not offer TLS',
    remedy: 'turn on TLS on the server, or set tls.mode to disable or prefer',
  },
  HANDSHAKE_SSL_ERROR: { reason: 'TlsRefused', what: 'no TLS that both sides can speak' },
  PROTOCOL_CONNECTION_LOST: { reason: 'Unreachable', what: 'the connection was closed by the other side' },
  STATEMENT_UNANSWERED: { reason: 'Unreachable', what: 'no answer to a statement' },
  PROTOCOL_ERROR: { reason: 'Unreachable', what: 'the other side does not speak the protocol of MySQL' },
  PROTOCOL_UNEXPECTED_PACKET: { reason: 'Unreachable', what: 'the other side does not speak the protocol of MySQL' },
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: {
    reason: 'AuthenticationFailed',
    what: 'the server asks for the password in clear text, which is never sent',
    remedy: 'give the administrator another authentication plugin',
  },
  AUTH_SWITCH_PLUGIN_ERROR: {
    reason: 'AuthenticationFailed',
    what: 'the authentication plugin of the account cannot be spoken',
  },
};

/** Whether the session is lost, so that a read may be asked again on another one. */
export function isLostSession(error: unknown): boolean {
  const code = codeOf(error);
  return (
    ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', '1053', '1927', '4031'].includes(code) ||
    fieldsOf(error).message.includes('in closed state')
  );
}

/** Two sessions that wait for each other are told so: the statement is run again. */
export const isRetryable = (error: unknown): boolean => ['1213', '1205'].includes(codeOf(error));

export interface Circumstance {
  /** What was tried, without values: "CREATE USER". */
  tried?: string;
  admin?: string;
  /** Address of the server, as the configuration has it. */
  server?: string;
  /** Whether the session would be without TLS. */
  isPlain?: boolean;
}

export function toResourceError(error: unknown, { tried, server, isPlain }: Circumstance = {}): ResourceError {
  if (error instanceof ResourceError) return error;
  const code = codeOf(error);
  const { message } = fieldsOf(error);
  const number = numberOf(error);
  const conversation = number === undefined ? conversationPolicy(code, message) : undefined;
  if (conversation !== undefined) {
    const place = server === undefined ? '' : `cannot connect to ${server}: `;
    return new ResourceError(
      conversation.reason,
      `${place}${conversation.what ?? firstLine(message)}${remedyOf(conversation)}`,
      { code, cause: error },
    );
  }
  const isLogin = tried === undefined || tried === 'login';
  const policy = (isLogin ? undefined : IN_STATEMENTS[number ?? 0]) ??
    (number === OPTION_PREVENTS ? BY_OPTION.find(([option]) => option.test(message))?.[1] : undefined) ??
    NUMBERS[number ?? 0] ?? { reason: 'ServerRefused' };
  const text = [
    tried === undefined ? '' : `${tried}: `,
    steady(message),
    code === '' ? '' : ` (${code})`,
    remedyOf(policy),
    isLogin && isPlain === true && number === 1045 ? WITHOUT_TLS : '',
  ].join('');
  return new ResourceError(policy.reason, text, { code, retryable: policy.retryable ?? true, cause: error });
}

function conversationPolicy(code: string, message: string): ErrorPolicy | undefined {
  if (message.startsWith('Client network socket disconnected before secure TLS'))
    return { reason: 'Unreachable', what: 'the connection was closed during the TLS handshake' };
  if (message.startsWith('Server requests authentication using unknown plugin'))
    return {
      reason: 'AuthenticationFailed',
      what: `the administrator has an authentication plugin that is not known here (${/plugin (\w+)/.exec(message)?.[1] ?? ''})`,
      remedy: 'give it another one',
    };
  return CLIENT[code] ?? networkPolicy(code) ?? (message.includes('in closed state') ? LOST : undefined);
}

const LOST = CLIENT['PROTOCOL_CONNECTION_LOST'];

const remedyOf = ({ remedy }: ErrorPolicy): string => (remedy === undefined ? '' : `; ${remedy}`);

/** Without what differs from one try to the next (a pod's address), and without what quotes the statement. */
const steady = (message: string): string =>
  firstLine(message)
    .replace(/ user '([^']*)'@'[^']*'/, " user '$1'")
    .replace(/^Host '[^']*'/, 'This host')
    .replace(/^(Incorrect \w+ value): '.*' for /, '$1 for ');

function numberOf(error: unknown): number | undefined {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  // The driver's own errors may have the errno of the system, and never an SQLSTATE.
  return typeof errno === 'number' && typeof sqlState === 'string' ? errno : undefined;
}

/** The server's error number, else the driver's or the network's code. */
export const codeOf = (error: unknown): string =>
  error instanceof ResourceError ? (error.code ?? '') : (numberOf(error)?.toString() ?? fieldsOf(error).code);
