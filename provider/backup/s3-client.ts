/** The S3 client that a place asks for: address, identity, authorities, checksums. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { assumeRole } from './assume-role.ts';
import type { S3Place } from './contract.ts';
import { RunError } from './errors.ts';

const ATTEMPTS = 6;

/** @throws RunError InvalidRequest */
export function secretFile(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new RunError('InvalidRequest', `${what} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function staticCredentials({ credentials }: S3Place): NonNullable<S3ClientConfig['credentials']> | undefined {
  if (credentials === undefined) return undefined;
  const sessionToken =
    credentials.sessionTokenFile === undefined
      ? undefined
      : secretFile(credentials.sessionTokenFile, 'the session token of the storage');
  return {
    accessKeyId: secretFile(credentials.accessKeyIdFile, 'the access key ID of the storage'),
    secretAccessKey: secretFile(credentials.secretAccessKeyFile, 'the secret access key of the storage'),
    ...(sessionToken === undefined || sessionToken === '' ? {} : { sessionToken }),
  };
}

export function s3Client(place: S3Place): S3Client {
  const { endpoint, region, roleArn, externalId, stsEndpoint, caFile } = place;
  const own = staticCredentials(place);
  const ca = caFile === undefined ? undefined : [...rootCertificates, secretFile(caFile, 'the CA of the storage')];
  // There is no other way to tell the client where it exchanges a web identity.
  if (stsEndpoint !== undefined) process.env['AWS_ENDPOINT_URL_STS'] = stsEndpoint;
  const config: S3ClientConfig = {
    region,
    maxAttempts: ATTEMPTS,
    ...(own === undefined ? {} : { credentials: own }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: place.forcePathStyle ?? endpoint !== undefined,
    requestHandler: {
      connectionTimeout: 10_000,
      // Of silence, not of the whole request.
      socketTimeout: 120_000,
      ...(ca === undefined ? {} : { httpsAgent: { ca } }),
    },
    // Servers other than Amazon's may store the framing of streamed checksums as data; they get Content-MD5 instead.
    ...(endpoint === undefined
      ? {}
      : { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }),
  };
  const client = new S3Client(config);
  if (endpoint !== undefined) addContentMd5(client);
  if (roleArn === undefined) return client;
  const assumed = new S3Client({
    ...config,
    credentials: async () =>
      await assumeRole(await client.config.credentials(), {
        roleArn,
        region,
        ...(externalId === undefined ? {} : { externalId }),
        ...(ca === undefined ? {} : { ca }),
      }),
  });
  if (endpoint !== undefined) addContentMd5(assumed);
  return assumed;
}

/** Every part carries a checksum that the server compares before it takes it. */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { request } = args as { request?: { headers?: Record<string, string>; body?: unknown } };
      const { commandName } = context as { commandName?: string };
      if (
        (commandName === 'PutObjectCommand' || commandName === 'UploadPartCommand') &&
        request?.headers !== undefined &&
        request.body instanceof Uint8Array
      )
        request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
      return await next(args);
    },
    { step: 'build', name: 'contentMd5' },
  );
}
