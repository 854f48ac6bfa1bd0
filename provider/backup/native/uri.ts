/** A storage as the URI that CockroachDB reads and writes. It holds the credentials. */
import { invalidSpec } from '../../common/errors.ts';
import { Secret } from '../../common/secret.ts';
import type { Place } from '../contract.ts';

/** @param secretOf the content of a file that the place names */
export function storageUri(place: Place, secretOf: (file: string) => string): Secret {
  if (place.type !== 's3')
    throw invalidSpec('storage: CockroachDB writes its backups by itself, so it needs an s3 storage, not a filesystem');
  if (place.caFile !== undefined)
    throw invalidSpec(
      'storage.s3.caSecretRef: CockroachDB trusts the authorities of its cluster setting cloudstorage.http.custom_ca only; set it there and remove it here',
    );
  if (place.stsEndpoint !== undefined)
    throw invalidSpec('storage.s3.stsEndpoint: CockroachDB asks the token service of Amazon only; remove it');
  if (place.serverSideEncryption?.type === 'SSE-C')
    throw invalidSpec('storage.s3.serverSideEncryption: CockroachDB knows SSE-S3 and SSE-KMS only');
  const parameters: [name: string, value: string | undefined][] = [];
  const { credentials, endpoint, region, roleArn, externalId, storageClass, serverSideEncryption: sse } = place;
  if (credentials === undefined) parameters.push(['AUTH', 'implicit']);
  else
    parameters.push(
      ['AWS_ACCESS_KEY_ID', secretOf(credentials.accessKeyIdFile)],
      ['AWS_SECRET_ACCESS_KEY', secretOf(credentials.secretAccessKeyFile)],
      [
        'AWS_SESSION_TOKEN',
        credentials.sessionTokenFile === undefined ? undefined : secretOf(credentials.sessionTokenFile),
      ],
    );
  parameters.push(
    ['AWS_REGION', region],
    ['AWS_ENDPOINT', endpoint],
    ['AWS_USE_PATH_STYLE', (place.forcePathStyle ?? endpoint !== undefined) ? 'true' : undefined],
    ['ASSUME_ROLE', externalId === undefined ? roleArn : `${roleArn ?? ''};external_id=${externalId}`],
    ['S3_STORAGE_CLASS', storageClass],
    ['AWS_SERVER_ENC_MODE', sse === undefined ? undefined : sse.type === 'SSE-KMS' ? 'aws:kms' : 'AES256'],
    ['AWS_SERVER_KMS_ID', sse?.type === 'SSE-KMS' ? sse.kmsKeyId : undefined],
  );
  const query = parameters
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const prefix = place.prefix
    .split('/')
    .filter((part) => part !== '')
    .map(encodeURIComponent)
    .join('/');
  return new Secret(`s3://${place.bucket}${prefix === '' ? '' : `/${prefix}`}?${query.join('&')}`);
}
