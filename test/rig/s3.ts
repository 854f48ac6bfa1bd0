/** A real S3 server (versitygw, in a folder of its own), or the one that XDB_TEST_S3_URL names. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { binary } from './binaries.ts';
import { writeServerCertificate } from './certificate-files.ts';
import { createAuthority } from './certificates.ts';
import { OwnServer, startInFolder } from './own-server.ts';
import { freePort } from './process.ts';

export interface S3Address {
  /** e.g. "http://127.0.0.1:7070". */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** PEM file of the authority of its certificate, with `tls`. */
  caFile?: string;
}

export interface S3Server extends S3Address {
  readonly address: S3Address;
  /** For a test to look and to tamper. */
  readonly client: S3Client;
  /** Makes a bucket of a new name. */
  bucket(): Promise<string>;
  stop(): Promise<void>;
}

function clientOf(address: S3Address): S3Client {
  return new S3Client({
    endpoint: address.endpoint,
    region: address.region,
    credentials: address,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}

/** A server that somebody else started and stops. */
export const s3At = (address: S3Address): S3Server => server(address, clientOf(address), async () => {});

function server(address: S3Address, client: S3Client, stop: () => Promise<void>): S3Server {
  return {
    ...address,
    address,
    client,
    bucket: async () => {
      const Bucket = `test-${randomUUID()}`;
      await client.send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    stop: async () => {
      client.destroy();
      await stop();
    },
  };
}

/** `http://KEY:SECRET@host:port` of a server that is there already. */
function ownServer(text: string): S3Server {
  const url = new URL(text);
  const address: S3Address = {
    endpoint: url.origin,
    region: url.searchParams.get('region') ?? 'us-east-1',
    accessKeyId: decodeURIComponent(url.username),
    secretAccessKey: decodeURIComponent(url.password),
  };
  return s3At(address);
}

/**
 * @param tls With a certificate of our own, from an authority that nobody trusts by itself.
 * @throws NotAvailableError when versitygw has to be built and Go is not there.
 */
export async function startS3({ tls = false }: { tls?: boolean } = {}): Promise<S3Server> {
  const own = process.env['XDB_TEST_S3_URL'];
  if (own !== undefined && own !== '' && !tls) return ownServer(own);
  const command = await binary('versitygw');
  return await startInFolder('s3', async (folder) => {
    const port = await freePort();
    const files = tls ? await writeServerCertificate(folder, createAuthority()) : undefined;
    const address: S3Address = {
      endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
      region: 'us-east-1',
      accessKeyId: randomBytes(10).toString('hex').toUpperCase(),
      secretAccessKey: randomBytes(20).toString('hex'),
      ...(files && { caFile: files.ca }),
    };
    // Metadata beside the data: not every filesystem has extended attributes.
    await Promise.all(['data', 'meta'].map((name) => mkdir(join(folder, name))));
    const life = await OwnServer.start({
      name: 'versitygw',
      command,
      args: [
        '--port',
        `127.0.0.1:${port}`,
        '--quiet',
        ...(files ? ['--cert', files.certificate, '--key', files.key] : []),
        'posix',
        '--sidecar',
        join(folder, 'meta'),
        join(folder, 'data'),
      ],
      env: { ...process.env, ROOT_ACCESS_KEY: address.accessKeyId, ROOT_SECRET_KEY: address.secretAccessKey },
      logFile: join(folder, 'versitygw.log'),
      folder,
      ready: async () =>
        await fetch(address.endpoint).catch((error: unknown) => {
          // It speaks TLS, which is all that can be known without its authority.
          if (tls && /certificate|self-signed/i.test(String((error as Error).cause))) return true;
          throw error;
        }),
    });
    return server(address, clientOf(address), async () => await life.stop());
  });
}
