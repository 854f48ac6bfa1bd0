/** Who may call: clients with a certificate that the authority of Crossplane has signed, and nobody else. */
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import {
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';

/**
 * TLS that asks clients for a certificate but does not judge it. Crossplane's client certificate bears the same subject as
 * its authority and no key identifiers, for which OpenSSL, and so Node, takes it for self-signed and would refuse the one
 * client that must be let in. `ClientCheck` judges instead.
 */
export class AskingCredentials extends ServerCredentials {
  constructor(context: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' }, context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const REMEMBERED = 64;

export class ClientCheck {
  readonly #authorities: X509Certificate[];
  /** Until when a certificate, by its fingerprint, is good: a signature is checked once, not at every call. */
  readonly #known = new Map<string, number>();

  /** @throws Error when there is no certificate in the PEM text, or one that cannot be read. */
  constructor(authorities: string) {
    this.#authorities = (authorities.match(PEM) ?? []).map((pem) => new X509Certificate(pem));
    if (this.#authorities.length === 0) throw new Error('ca.crt holds no certificate');
  }

  /** Why a certificate is refused; undefined when it is good. */
  refusal(raw: Buffer | undefined, fingerprint: string, now = Date.now()): string | undefined {
    if (raw === undefined) return 'a client certificate is required';
    const until = this.#known.get(fingerprint);
    if (until !== undefined && now <= until) return undefined;
    const certificate = new X509Certificate(raw);
    const signer = this.#authorities.find(
      (authority) => authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
    );
    if (signer === undefined) return 'the client certificate is not of the authority in ca.crt';
    const ends = Math.min(certificate.validToDate.getTime(), signer.validToDate.getTime());
    if (now < certificate.validFromDate.getTime() || now > ends)
      return 'the client certificate has expired or is not valid yet';
    // Absent means every use.
    const usage = certificate.keyUsage as string[] | undefined;
    if (usage !== undefined && !usage.includes(CLIENT_AUTH)) return 'the client certificate is not for clients';
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(fingerprint, ends);
    return undefined;
  }

  /** Refuses a call before its message is read. */
  readonly interceptor: ServerInterceptor = (_, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, proceed) => {
          const peer = call.getAuthContext().sslPeerCertificate as Partial<PeerCertificate> | undefined;
          let details: string | undefined;
          try {
            details = this.refusal(peer?.raw, peer?.fingerprint256 ?? '');
          } catch {
            details = 'the client certificate cannot be read';
          }
          if (details === undefined) proceed(metadata);
          else call.sendStatus({ code: status.UNAUTHENTICATED, details });
        });
        next(listener.build());
      },
    });
}
