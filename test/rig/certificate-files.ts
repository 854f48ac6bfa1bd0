/** Certificates as the servers of the rig read them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateAuthority, CertificateRequest } from './certificates.ts';

export interface CertificateFiles {
  ca: string;
  certificate: string;
  key: string;
}

/** Writes ca.crt, tls.crt and tls.key of a server that `authority` vouches for. Gives their paths. */
export async function writeServerCertificate(
  folder: string,
  authority: CertificateAuthority,
  request: Partial<CertificateRequest> = {},
): Promise<CertificateFiles> {
  const server = authority.issue({ commonName: 'localhost', usage: 'server', ...request });
  const files = { ca: join(folder, 'ca.crt'), certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  await writeFile(files.ca, authority.certificate, { mode: 0o600 });
  await writeFile(files.certificate, server.certificate, { mode: 0o600 });
  await writeFile(files.key, server.key, { mode: 0o600 });
  return files;
}
