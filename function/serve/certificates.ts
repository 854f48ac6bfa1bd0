/** The files that prove who the function is and who may call it. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

/** All in PEM. */
export interface Certificates {
  /** Whose clients may call; may be a bundle. */
  authority: string;
  certificate: string;
  key: string;
}

export function parseBundle(pem: string): X509Certificate[] {
  const parts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (parts.length === 0) throw new Error('ca.crt holds no certificate');
  return parts.map((part) => new X509Certificate(part));
}

/**
 * Reads ca.crt, tls.crt and tls.key.
 * @throws Error when one is missing, empty or not what its name says, or when key and certificate do not belong together.
 */
export async function readCertificates(folder: string): Promise<Certificates> {
  const [authority = '', certificate = '', key = ''] = await Promise.all(
    ['ca.crt', 'tls.crt', 'tls.key'].map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8');
      // TLS takes an empty file for none, listens all the same, and fails with every client.
      if (text.trim() === '') throw new Error(`${join(folder, name)} is empty`);
      return text;
    }),
  );
  try {
    parseBundle(authority);
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    throw new Error(`certificates in ${folder}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return { authority, certificate, key };
}

const same = (a: Certificates, b: Certificates): boolean =>
  a.authority === b.authority && a.certificate === b.certificate && a.key === b.key;

export interface CertificateWatch {
  folder: string;
  /** Those in use. */
  current: Certificates;
  everyMs: number;
  onRenewed: (certificates: Certificates) => void;
  /** Called once for each different failure; those in use stay so. */
  onFailure: (message: string) => void;
}

/**
 * Looks at the files again and again: a mounted Secret is swapped as a whole, which not every file system tells of.
 * @returns Ends the watch.
 */
export function watchCertificates({ folder, current, everyMs, onRenewed, onFailure }: CertificateWatch): () => void {
  let used = current;
  let failed = '';
  const look = async (): Promise<void> => {
    try {
      const found = await readCertificates(folder);
      failed = '';
      if (same(found, used)) return;
      used = found;
      onRenewed(found);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== failed) onFailure(message);
      failed = message;
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
