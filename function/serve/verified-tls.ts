/**
 * A TLS listener that lets in only clients with a certificate of Crossplane's authority.
 *
 * OpenSSL cannot decide that: Crossplane's client certificate has the subject of its issuer and no authority key
 * identifier, which OpenSSL takes for a self-signed certificate and refuses. So the handshake asks for a certificate and
 * we check it: issued and signed by the authority, valid today, and meant for clients.
 */
import type { X509Certificate } from 'node:crypto';
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import { type Certificates, parseBundle } from './certificates.ts';

export interface VerifiedTlsOptions {
  certificates: Certificates;
  /** Called with each connection of a client that was verified. */
  onConnection: (socket: TLSSocket) => void;
  onRefused?: (reason: string) => void;
}

export interface VerifiedTls {
  listener: Server;
  /** Takes other certificates for the connections to come. */
  renew(certificates: Certificates): void;
}

/** id-kp-clientAuth */
const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

/** Why a certificate is not that of a client which may call; undefined when it is. */
function refusal(
  certificate: X509Certificate | undefined,
  authorities: readonly X509Certificate[],
  now: Date,
): string | undefined {
  if (certificate === undefined) return 'the client has no certificate';
  const isIssued = authorities.some(
    (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );
  if (!isIssued) return 'the certificate of the client is of another authority';
  if (now < new Date(certificate.validFrom)) return 'the certificate of the client is not valid yet';
  if (now > new Date(certificate.validTo)) return 'the certificate of the client has expired';
  const usages = certificate.keyUsage;
  if (usages !== undefined && usages.length > 0 && !usages.includes(CLIENT_AUTHENTICATION))
    return 'the certificate is not for clients';
  return undefined;
}

const contextOf = ({ authority, certificate, key }: Certificates): TlsOptions => ({
  ca: authority,
  cert: certificate,
  key,
  minVersion: 'TLSv1.2',
});

export function createVerifiedTls({ certificates, onConnection, onRefused }: VerifiedTlsOptions): VerifiedTls {
  let authorities = parseBundle(certificates.authority);
  const listener = createServer(
    { ...contextOf(certificates), requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
    (socket) => {
      socket.on('error', () => {
        // A client that goes away is its own affair.
      });
      const reason = refusal(socket.getPeerX509Certificate(), authorities, new Date());
      if (reason === undefined) {
        onConnection(socket);
        return;
      }
      onRefused?.(reason);
      socket.destroy();
    },
  );
  return {
    listener,
    renew: (renewed) => {
      listener.setSecureContext(contextOf(renewed));
      authorities = parseBundle(renewed.authority);
    },
  };
}
