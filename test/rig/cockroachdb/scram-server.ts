/** SCRAM-SHA-256 from the server's side (RFC 5802), against a stored verifier. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const FORM = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/;

export class ScramServer {
  readonly #verifier: string;
  #clientFirst = '';
  #serverFirst = '';

  constructor(verifier: string) {
    this.#verifier = verifier;
  }

  /** Answers the client's first message. */
  first(message: string): string {
    this.#clientFirst = message.replace(/^[^,]*,[^,]*,/, '');
    const nonce = /r=([^,]+)/.exec(this.#clientFirst)?.[1] ?? '';
    const [, iterations, salt] = FORM.exec(this.#verifier) ?? [];
    this.#serverFirst = `r=${nonce}${randomBytes(18).toString('base64')},s=${salt},i=${iterations}`;
    return this.#serverFirst;
  }

  /** The server's proof, or undefined when the client's is wrong. */
  final(message: string): string | undefined {
    const [, , , storedKey = '', serverKey = ''] = FORM.exec(this.#verifier) ?? [];
    const proof = Buffer.from(/p=(.+)$/.exec(message)?.[1] ?? '', 'base64');
    const auth = `${this.#clientFirst},${this.#serverFirst},${message.replace(/,p=.+$/, '')}`;
    const stored = Buffer.from(storedKey, 'base64');
    const signature = createHmac('sha256', stored).update(auth).digest();
    if (proof.length !== signature.length) return undefined;
    const clientKey = Buffer.from(proof.map((byte, i) => byte ^ (signature[i] ?? 0)));
    const isRight = timingSafeEqual(createHash('sha256').update(clientKey).digest(), stored);
    if (!isRight) return undefined;
    const own = createHmac('sha256', Buffer.from(serverKey, 'base64')).update(auth).digest('base64');
    return `v=${own}`;
  }
}
