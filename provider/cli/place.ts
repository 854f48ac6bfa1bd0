import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Place } from '../backup/contract.ts';

/**
 * A folder, or `s3://bucket/prefix?endpoint=URL&region=NAME`. Who one is for S3 comes from where the AWS tools look for it:
 * AWS_ACCESS_KEY_ID and its kin, AWS_PROFILE, or the machine's own identity.
 */
export function parsePlace(text: string): Place {
  if (!text.startsWith('s3://')) {
    if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) throw new InvalidArgumentError('write a folder, or s3://bucket/prefix');
    return { type: 'filesystem', path: resolve(text), prefix: '' };
  }
  const match = /^s3:\/\/([^/?]+)\/?([^?]*)(?:\?(.*))?$/.exec(text);
  const options = new URLSearchParams(match?.[3] ?? '');
  const unknown = [...options.keys()].find((key) => !['endpoint', 'region', 'sse', 'kmsKeyId', 'ca'].includes(key));
  if (match?.[1] === undefined || unknown !== undefined)
    throw new InvalidArgumentError('write s3://bucket/prefix?endpoint=https://host&region=name&ca=FILE');
  const endpoint = options.get('endpoint');
  const ca = options.get('ca');
  return {
    type: 's3',
    bucket: match[1],
    region: options.get('region') ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    prefix: decodeURIComponent(match[2] ?? ''),
    ...(endpoint === null ? {} : { endpoint }),
    ...(ca === null ? {} : { caFile: resolve(ca) }),
  };
}
