import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { type CertificatePair, createAuthority, existingAuthority } from './certificates.ts';

/** A handshake on which both sides insist on a certificate; what the client ends with. */
async function handshake(ca: string, server: CertificatePair, client: CertificatePair): Promise<string> {
  const listener = createServer({
    ca,
    cert: server.certificate,
    key: server.key,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.on('secureConnection', (socket: TLSSocket) => socket.end('welcome'));
  listener.on('tlsClientError', () => {});
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') {
    throw new Error('no TCP address');
  }
  const socket = connect({ port: address.port, host: '127.0.0.1', ca, cert: client.certificate, key: client.key });
  try {
    return await new Promise((resolve, reject) => {
      socket.once('data', (greeting) => resolve(greeting.toString()));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the server hung up')));
    });
  } finally {
    socket.destroy();
    listener.close();
  }
}

const authority = createAuthority();
const server = authority.issue({ commonName: 'server', usage: 'server' });
const client = authority.issue({ commonName: 'client', usage: 'client', hosts: [] });

test('both sides accept what one authority issued', async () => {
  expect(await handshake(authority.certificate, server, client)).toBe('welcome');
});

test('an authority that was read from its PEM files issues the same', async () => {
  const again = existingAuthority(authority.certificate, authority.key).issue({ commonName: 'server' });
  expect(await handshake(authority.certificate, again, client)).toBe('welcome');
});

test('names and addresses stand in the certificate', () => {
  const { certificate } = authority.issue({ commonName: 'x', hosts: ['db.example.org', '10.0.0.1', '2001:db8::1'] });
  const parsed = new X509Certificate(certificate);
  expect(parsed.subject).toBe('CN=x');
  expect(parsed.checkHost('db.example.org')).toBe('db.example.org');
  expect(parsed.checkIP('10.0.0.1')).toBe('10.0.0.1');
  expect(parsed.checkIP('2001:db8::1')).toBe('2001:db8::1');
  expect(parsed.checkHost('localhost')).toBeUndefined();
});

test.each([
  [
    'comes from another authority',
    createAuthority().issue({ commonName: 'server' }),
    /self-signed|unable to (get|verify)/,
  ],
  ['has run out', authority.issue({ commonName: 'server', notAfter: new Date(Date.now() - 1000) }), /expired/],
  [
    'is not valid yet',
    authority.issue({ commonName: 'server', notBefore: new Date(Date.now() + 60_000) }),
    /not yet valid/,
  ],
  ['is for another host', authority.issue({ commonName: 'server', hosts: ['elsewhere'] }), /does not match/],
  ['is for clients', authority.issue({ commonName: 'server', usage: 'client' }), /purpose/],
])('a server is refused whose certificate %s', async (_, pair, message) => {
  await expect(handshake(authority.certificate, pair, client)).rejects.toThrow(message);
});

test('a client is refused whose certificate comes from another authority', async () => {
  const stranger = createAuthority().issue({ commonName: 'client', usage: 'client', hosts: [] });
  await expect(handshake(authority.certificate, server, stranger)).rejects.toThrow(/hung up|ECONNRESET|alert/);
});

test('an authority with an RSA key signs with it', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const other = existingAuthority(authority.certificate, String(key)).issue({ commonName: 'x' });
  expect(new X509Certificate(other.certificate).verify(publicKey)).toBe(true);
});
