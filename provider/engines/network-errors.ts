/** What Node says when there is no conversation with a server, as stable reasons with a remedy: the same for every engine. */

/** What an error of a server or of the network becomes. */
export interface ErrorPolicy {
  /** Of the condition. */
  reason: string;
  /** What happened, where the text of the error says it badly. */
  what?: string;
  /** What the user can do; added to what the server said. */
  remedy?: string;
  /** False: nothing changes until somebody edits something. @defaultValue true */
  retryable?: boolean;
}

/** Failures of TLS that have many codes each, by the beginning of the code. */
const TLS_CODES: [prefix: RegExp, policy: ErrorPolicy][] = [
  [
    /^ERR_OSSL_|^ERR_CRYPTO_|^ERR_INVALID_ARG/,
    {
      reason: 'InvalidCertificate',
      what: 'a certificate or key cannot be used',
      remedy:
        'check that tls.caSecretRef and tls.clientCertSecretRef hold PEM texts, and that key and certificate belong together',
    },
  ],
  [
    /^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ALERT_BAD)/,
    {
      reason: 'TlsRefused',
      what: 'the server does not accept the client certificate',
      remedy: 'check tls.clientCertSecretRef',
    },
  ],
  [/^ERR_SSL_|^EPROTO$/, { reason: 'TlsRefused', what: 'no TLS that both sides can speak' }],
  [
    /^(CERT|UNABLE|INVALID_|HOSTNAME|CRL|PATH_LENGTH|.*_TOO_WEAK|EE_KEY_TOO_SMALL|CA_)/,
    { reason: 'CertificateUntrusted', remedy: 'check the certificate of the server and tls.caSecretRef' },
  ],
];

/** What Node says when there is no conversation at all. */
const NETWORK: Record<string, ErrorPolicy> = {
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

/** undefined when the code is not one of the network's or of TLS. */
export const networkPolicy = (code: string): ErrorPolicy | undefined =>
  NETWORK[code] ?? TLS_CODES.find(([pattern]) => pattern.test(code))?.[1];

/** Code and text of whatever was thrown; the code is empty where it has none. */
export function fieldsOf(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code } = error as { code?: unknown };
  // With several addresses behind one name, Node reports all failures in one error without a text.
  const inner = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  return { code: typeof code === 'string' ? code : '', message: error.message || inner?.message || 'unknown error' };
}

/** The rest of a message may quote what was sent. */
export const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';
