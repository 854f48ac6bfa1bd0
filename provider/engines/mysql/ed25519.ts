/**
 * Ed25519 as MariaDB's plugin of that name uses it: the password itself, of any length, takes the place of the 32 bytes
 * of a private key, which is why node:crypto cannot be asked. Curve and encoding are those of RFC 8032.
 */
import { hash } from 'node:crypto';

const P = 2n ** 255n - 19n;
/** Order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * inverse(121666n));

/** Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint];

const BASE: Point = (() => {
  const x = 15112221349535400772501151409588531511454012693041857206046113283949847762202n;
  const y = 46316835694926478169428394003475163141307993866256225615783033603165251855960n;
  return [x, y, 1n, mod(x * y)];
})();

function mod(value: bigint, by = P): bigint {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base); exponent > 0n; exponent >>= 1n, square = mod(square * square))
    if ((exponent & 1n) === 1n) result = mod(result * square);
  return result;
}

function inverse(value: bigint): bigint {
  return power(value, P - 2n);
}

/** RFC 8032, 5.1.4; holds for doubling too. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * t1 * t2 * D);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar: bigint): Point {
  let result: Point = [0n, 1n, 1n, 0n];
  for (let doubled = BASE, rest = scalar; rest > 0n; rest >>= 1n, doubled = add(doubled, doubled))
    if ((rest & 1n) === 1n) result = add(result, doubled);
  return result;
}

function encode([x, y, z]: Point): Buffer {
  const scale = inverse(z);
  const bytes = toBytes(mod(y * scale));
  bytes.writeUInt8(bytes.readUInt8(31) | (Number(mod(x * scale) & 1n) << 7), 31);
  return bytes;
}

const turned = (bytes: Uint8Array): Buffer => Buffer.from(bytes.toReversed());
const toBytes = (value: bigint): Buffer => turned(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'));
const fromBytes = (bytes: Buffer): bigint => BigInt(`0x${turned(bytes).toString('hex')}`);
const sha512 = (...parts: readonly Buffer[]): Buffer => hash('sha512', Buffer.concat(parts), 'buffer');

function keyOf(password: string): { scalar: bigint; prefix: Buffer; publicKey: Buffer } {
  const digest = sha512(Buffer.from(password, 'utf8'));
  const clamped = Buffer.from(digest.subarray(0, 32));
  clamped.writeUInt8(clamped.readUInt8(0) & 248, 0);
  clamped.writeUInt8((clamped.readUInt8(31) & 63) | 64, 31);
  const scalar = fromBytes(clamped);
  return { scalar, prefix: digest.subarray(32), publicKey: encode(times(scalar)) };
}

/** What the server stores: 43 characters, base64 of the public key without its padding. */
export const ed25519Verifier = (password: string): string =>
  keyOf(password).publicKey.toString('base64').replace(/=+$/, '');

/** What a client answers to the server's 32 bytes. */
export function ed25519Sign(password: string, message: Buffer): Buffer {
  const { scalar, prefix, publicKey } = keyOf(password);
  const nonce = mod(fromBytes(sha512(prefix, message)), L);
  const point = encode(times(nonce));
  const challenge = mod(fromBytes(sha512(point, publicKey, message)), L);
  return Buffer.concat([point, toBytes(mod(nonce + challenge * scalar, L))]);
}
