import { expect, test } from 'vitest';
import { isLostSession, toResourceError } from './errors.ts';

const said = (errno: number, message: string): Error =>
  Object.assign(new Error(message), { errno, sqlState: '42000', code: 'ER_X' });

test.each([
  [1045, "Access denied for user 'app'@'10.1.2.3' (using password: YES)", 'PermissionDenied', "user 'app' (using"],
  [1130, "Host '10.1.2.3' is not allowed to connect to this MySQL server", 'AuthenticationFailed', 'This host is not'],
  [1142, "SELECT command denied to user 'xdb'@'10.9.8.7' for table 'user'", 'PermissionDenied', "to user 'xdb' for"],
  [1227, 'Access denied; you need (at least one of) the CREATE USER privilege(s)', 'PermissionDenied', 'CREATE USER'],
  [
    1290,
    'The MySQL server is running with the --super-read-only option',
    'ReadOnlyServer',
    'use the one of the primary',
  ],
  [
    1290,
    'The MariaDB server is running with the --strict-password-validation option so it cannot execute this statement',
    'PasswordRefused',
    'give the password itself',
  ],
  [1290, 'The MySQL server is running with the --skip-grant-tables option', 'ServerRefused', 'skip-grant-tables'],
  [1290, 'The MySQL server is running with the --something-else option', 'ServerRefused', 'something-else'],
  [4006, "User 'app'@'%' is referenced as a definer account in a view.", 'DependentObjects', 'as its definer'],
  [1040, 'Too many connections', 'TooManyConnections', 'connectionLimit'],
  [1205, 'Lock wait timeout exceeded; try restarting transaction', 'LockTimeout', 'holds a lock'],
  [1396, "Operation CREATE USER failed for 'app'@'10.%'", 'Conflict', "'app'@'10.%'"],
  [9999, 'Something new', 'ServerRefused', 'Something new (9999)'],
])('error %d is one of ours, with its number and without an address that changes', (errno, message, reason, part) => {
  const error = toResourceError(said(errno, message), { tried: 'CREATE USER' });
  expect(error).toMatchObject({ reason, code: String(errno) });
  expect(error.message).toMatch(/^CREATE USER: /);
  expect(error.message).toContain(part);
  expect(error.message).not.toMatch(/10\.\d+\.\d+\.\d+/);
});

test('the code of a login that fails is one at a login, and a missing right in a statement', () => {
  for (const errno of [1045, 1698]) {
    const error = said(errno, "Access denied for user 'app'@'10.1.2.3'");
    for (const tried of [{}, { tried: 'login' }])
      expect(toResourceError(error, tried)).toMatchObject({ reason: 'AuthenticationFailed' });
    expect(toResourceError(error, { tried: 'GRANT' })).toMatchObject({
      reason: 'PermissionDenied',
      message: expect.stringContaining('the administrator has to have it itself') as string,
    });
  }
});

test.each([
  ['HANDSHAKE_NO_SSL_SUPPORT', 'TlsRefused'],
  ['ECONNREFUSED', 'Unreachable'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'CertificateUntrusted'],
  ['PROTOCOL_CONNECTION_LOST', 'Unreachable'],
  ['AUTH_SWITCH_PLUGIN_ERROR', 'AuthenticationFailed'],
])('%s of driver or network says where', (code, reason) => {
  const error = toResourceError(Object.assign(new Error('x'), { code }), { server: 'db:3306' });
  expect(error).toMatchObject({ reason, message: expect.stringMatching(/^cannot connect to db:3306: ./) as string });
});

test('a session is lost when the conversation is, not when the server says no', () => {
  expect(isLostSession(Object.assign(new Error('x'), { code: 'PROTOCOL_CONNECTION_LOST' }))).toBe(true);
  expect(isLostSession(new Error("Can't add new command when connection is in closed state"))).toBe(true);
  expect(isLostSession(said(1045, 'no'))).toBe(false);
});
