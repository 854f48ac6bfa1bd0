import { describe, expect, test } from 'vitest';
import type { S3Place } from '../contract.ts';
import { storageUri } from './uri.ts';

const place: S3Place = { type: 's3', bucket: 'b', region: 'eu-west-1', prefix: '' };
const credentials = { accessKeyIdFile: 'id', secretAccessKeyFile: 'secret', sessionTokenFile: 'token' };
const secretOf = (file: string): string => ({ id: 'AKIA', secret: 'a/b+c&d=e', token: 't t' })[file] ?? '';

const parsed = (more: Partial<S3Place>): URL => new URL(storageUri({ ...place, ...more }, secretOf).reveal());

describe('a storage as a URI', () => {
  test('carries the key so that nothing in it is taken for something else', () => {
    const { hostname, searchParams, search } = parsed({ credentials });
    expect(hostname).toBe('b');
    expect(searchParams.get('AWS_SECRET_ACCESS_KEY')).toBe('a/b+c&d=e');
    expect(searchParams.get('AWS_SESSION_TOKEN')).toBe('t t');
    expect(search).toContain('a%2Fb%2Bc%26d%3De');
  });

  test('uses the identity of the server when there is no key', () => {
    expect(parsed({}).searchParams.get('AUTH')).toBe('implicit');
    expect(parsed({ credentials }).searchParams.has('AUTH')).toBe(false);
  });

  test('has the path below the prefix, however the prefix is written', () => {
    for (const prefix of ['a/b', '/a/b/', 'a//b/']) expect(parsed({ prefix }).pathname).toBe('/a/b');
  });

  test('addresses another server by path, unless it says otherwise', () => {
    const endpoint = 'http://minio.example:9000';
    expect(parsed({ endpoint }).searchParams.get('AWS_ENDPOINT')).toBe(endpoint);
    expect(parsed({ endpoint }).searchParams.get('AWS_USE_PATH_STYLE')).toBe('true');
    expect(parsed({ endpoint, forcePathStyle: false }).searchParams.has('AWS_USE_PATH_STYLE')).toBe(false);
  });

  test('refuses a token service that the server would not ask', () => {
    expect(() => parsed({ stsEndpoint: 'https://sts.example' })).toThrow('stsEndpoint');
  });

  test('assumes a role, and encrypts at rest', () => {
    const { searchParams } = parsed({
      roleArn: 'arn:aws:iam::1:role/x',
      externalId: 'y',
      serverSideEncryption: { type: 'SSE-KMS', kmsKeyId: 'k' },
    });
    expect(searchParams.get('ASSUME_ROLE')).toBe('arn:aws:iam::1:role/x;external_id=y');
    expect(searchParams.get('AWS_SERVER_ENC_MODE')).toBe('aws:kms');
    expect(searchParams.get('AWS_SERVER_KMS_ID')).toBe('k');
  });

  test('is refused where the server could not reach it', () => {
    for (const more of [
      { caFile: 'ca.crt' },
      { serverSideEncryption: { type: 'SSE-C', customerKeyFile: 'k' } },
    ] satisfies Partial<S3Place>[])
      expect(() => parsed(more)).toThrow(expect.objectContaining({ reason: 'InvalidSpec' }));
    expect(() => storageUri({ type: 'filesystem', path: '/x', prefix: '' }, secretOf)).toThrow(/s3 storage/);
  });

  test('cannot be printed', () => {
    const uri = storageUri({ ...place, credentials }, secretOf);
    expect(`${String(uri)} ${JSON.stringify({ uri })}`).not.toContain('AKIA');
  });
});
