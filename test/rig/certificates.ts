/**
 * Throw-away certificates for the servers of the rig.
 *
 * X.509 is written here by hand, as Node makes keys and signatures but no certificates, and an openssl program is not on
 * every machine.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';

export interface CertificatePair {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS #8. */
  key: string;
}

export interface CertificateRequest {
  commonName: string;
  /** An organisation, which Kubernetes reads as a group. */
  organization?: string;
  /** DNS names and IP addresses. Default 127.0.0.1 and localhost; give [] for a client's certificate. */
  hosts?: readonly string[];
  /** Default both. */
  usage?: 'server' | 'client' | 'both';
  /** Default one hour ago. */
  notBefore?: Date;
  /** Default in 30 days. In the past for an expired one. */
  notAfter?: Date;
}

export interface CertificateAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  issue(request: CertificateRequest): CertificatePair;
}

const hour = 3_600_000;

const oids = {
  commonName: '550403',
  organization: '55040a',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
  ecdsaWithSha256: '2a8648ce3d040302',
  rsaWithSha256: '2a864886f70d01010b',
} as const;

function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size: number[] = [];
  for (let rest = body.length; rest > 0; rest >>= 8) {
    size.unshift(rest & 0xff);
  }
  const length = body.length < 0x80 ? [body.length] : [0x80 | size.length, ...size];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...content: readonly Buffer[]): Buffer => der(0x30, ...content);
const oid = (name: keyof typeof oids): Buffer => der(0x06, Buffer.from(oids[name], 'hex'));
const octets = (...content: readonly Buffer[]): Buffer => der(0x04, ...content);
const bits = (unused: number, content: Buffer): Buffer => der(0x03, Buffer.from([unused]), content);

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  // RFC 5280: two-digit years until 2049.
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2), 'latin1'))
    : der(0x18, Buffer.from(digits, 'latin1'));
}

function name(commonName: string, organization: string | undefined): Buffer {
  const part = (type: 'commonName' | 'organization', value: string): Buffer =>
    der(0x31, sequence(oid(type), der(0x0c, Buffer.from(value, 'utf8'))));
  return sequence(
    ...(organization === undefined ? [] : [part('organization', organization)]),
    part('commonName', commonName),
  );
}

function extension(type: keyof typeof oids, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(type), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), octets(value));
}

function address(host: string): Buffer {
  const version = isIP(host);
  if (version === 0) {
    return der(0x82, Buffer.from(host, 'latin1'));
  }
  if (version === 4) {
    return der(0x87, Buffer.from(host.split('.').map(Number)));
  }
  const [head = '', tail] = host.split('::');
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const before = words(head);
  const after = words(tail ?? '');
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return der(0x87, Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff])));
}

function publicKeyInfo(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(publicKeyInfo(key)).digest();
}

interface Issuer {
  key: KeyObject;
  subject: Buffer;
  keyIdentifier: Buffer | undefined;
}

function certificate(
  key: KeyObject,
  issuer: Issuer,
  subject: Buffer,
  request: CertificateRequest,
  isCa: boolean,
): string {
  const algorithm = sequence(
    ...(issuer.key.asymmetricKeyType === 'rsa' ? [oid('rsaWithSha256'), der(0x05)] : [oid('ecdsaWithSha256')]),
  );
  const usage = request.usage ?? 'both';
  const hosts = request.hosts ?? ['127.0.0.1', 'localhost'];
  const extensions = [
    extension('basicConstraints', true, isCa ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
    // keyCertSign and cRLSign, or digitalSignature and keyEncipherment.
    extension('keyUsage', true, isCa ? bits(1, Buffer.from([0x06])) : bits(5, Buffer.from([0xa0]))),
    extension('subjectKeyIdentifier', false, octets(keyIdentifier(key))),
    ...(issuer.keyIdentifier === undefined
      ? []
      : [extension('authorityKeyIdentifier', false, sequence(der(0x80, issuer.keyIdentifier)))]),
    ...(isCa
      ? []
      : [
          extension(
            'extendedKeyUsage',
            false,
            sequence(
              ...(usage === 'client' ? [] : [oid('serverAuth')]),
              ...(usage === 'server' ? [] : [oid('clientAuth')]),
            ),
          ),
        ]),
    ...(isCa || hosts.length === 0 ? [] : [extension('subjectAltName', false, sequence(...hosts.map(address)))]),
  ];
  const serial = randomBytes(16);
  // Positive, and without a leading zero byte, as DER wants it.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    issuer.subject,
    sequence(
      time(request.notBefore ?? new Date(Date.now() - hour)),
      time(request.notAfter ?? new Date(Date.now() + 30 * 24 * hour)),
    ),
    subject,
    publicKeyInfo(key),
    der(0xa3, sequence(...extensions)),
  );
  const signed = sequence(toBeSigned, algorithm, bits(0, sign('sha256', toBeSigned, issuer.key)));
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function newKey(): { key: KeyObject; pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: privateKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

function issueWith(issuer: Issuer, request: CertificateRequest): CertificatePair {
  const { key, pem } = newKey();
  const subject = name(request.commonName, request.organization);
  return { certificate: certificate(key, issuer, subject, request, false), key: pem };
}

/** A new authority with a key of its own. */
export function createAuthority(commonName = 'xdatabase test authority'): CertificateAuthority {
  const { key, pem } = newKey();
  const subject = name(commonName, undefined);
  const self: Issuer = { key, subject, keyIdentifier: keyIdentifier(key) };
  return {
    certificate: certificate(key, self, subject, { commonName }, true),
    key: pem,
    issue: (request) => issueWith(self, request),
  };
}

/** Issues from an authority that somebody else made (PEM), for example Crossplane's. */
export function existingAuthority(authorityCertificate: string, authorityKey: string): CertificateAuthority {
  const { subject, keyIdentifier: identifier } = readIssuer(new X509Certificate(authorityCertificate).raw);
  const issuer: Issuer = { key: createPrivateKey(authorityKey), subject, keyIdentifier: identifier };
  return { certificate: authorityCertificate, key: authorityKey, issue: (request) => issueWith(issuer, request) };
}

/** One DER element of `data` at `at`: where its content begins and ends. */
function element(data: Buffer, at: number): { tag: number; start: number; end: number } {
  const tag = data.readUInt8(at);
  const first = data.readUInt8(at + 1);
  if (first < 0x80) {
    return { tag, start: at + 2, end: at + 2 + first };
  }
  const count = first & 0x7f;
  const start = at + 2 + count;
  return { tag, start, end: start + data.readUIntBE(at + 2, count) };
}

/** The names must match byte for byte, so the subject is cut out of the authority's certificate as it stands there. */
function readIssuer(raw: Buffer): { subject: Buffer; keyIdentifier: Buffer | undefined } {
  const toBeSigned = element(raw, element(raw, 0).start);
  const fields: { from: number; tag: number; start: number; end: number }[] = [];
  for (let at = toBeSigned.start; at < toBeSigned.end; ) {
    const field = element(raw, at);
    fields.push({ from: at, ...field });
    at = field.end;
  }
  // version, serial, algorithm, issuer, validity, subject
  const subject = fields[5];
  if (subject === undefined) {
    throw new Error('not a version 3 certificate');
  }
  const marker = Buffer.concat([oid('subjectKeyIdentifier'), Buffer.from([0x04])]);
  const found = raw.indexOf(marker);
  let identifier: Buffer | undefined;
  if (found >= 0) {
    const outer = element(raw, found + marker.length - 1);
    const inner = element(raw, outer.start);
    identifier = raw.subarray(inner.start, inner.end);
  }
  return { subject: raw.subarray(subject.from, subject.end), keyIdentifier: identifier };
}
