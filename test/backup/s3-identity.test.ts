/** Who we are to a storage and how it shall keep things, as the server of the protocol sees it. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { S3Place } from '../../provider/backup/contract.ts';
import { openStorage } from '../../provider/backup/open-storage.ts';
import { readAll } from '../../provider/backup/storage.ts';
import { createAuthority } from '../rig/certificates.ts';
import { type FaultyS3, type S3Request, startFaultyS3 } from '../rig/s3-faults.ts';
import { type SessionKeys, startTokenS3, type TokenS3 } from '../rig/s3-tokens.ts';
import { sharedS3 } from '../rig/servers.ts';

const MB = 1024 * 1024;
const ROLE = 'arn:aws:iam::123456789012:role/backup';
const s3 = sharedS3();
let folder: string;
/** In front of the real server; it sees every request. */
let proxy: FaultyS3;
let bucket: string;

interface StsRequest {
  form: URLSearchParams;
  headers: IncomingHttpHeaders;
}

/** A token service, whose keys the storage takes for as long as a test says. */
let sts: Server;
let asked: StsRequest[];
let lifetimeSeconds: number;
let refusal: string | undefined;
/** What it has given out, by access key ID. */
const given = new Map<string, SessionKeys[]>();
/** In front of the real server too, for those that come with a token. */
let tokens: TokenS3;

function answerOf(action: string): string {
  const expiration = new Date(Date.now() + lifetimeSeconds * 1000).toISOString();
  const sessionToken = `token-${asked.length}`;
  given.set('ASIAOFTOKENS', [...(given.get('ASIAOFTOKENS') ?? []), { secretAccessKey: 'of-tokens', sessionToken }]);
  const credentials = `<Credentials><AccessKeyId>ASIAOFTOKENS</AccessKeyId><SecretAccessKey>of-tokens</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${credentials}</${action}Result></${action}Response>`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'identity-'));
  proxy = await startFaultyS3(s3.endpoint);
  tokens = await startTokenS3(s3, (id) => given.get(id) ?? []);
  bucket = await s3.bucket();
  sts = createServer((request, response) => {
    void text(request).then((body) => {
      const form = new URLSearchParams(body);
      asked.push({ form, headers: request.headers });
      response.writeHead(refusal === undefined ? 200 : 400, { 'content-type': 'text/xml' });
      response.end(
        refusal === undefined
          ? answerOf(form.get('Action') ?? '')
          : `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${refusal}</Code><Message>as the test wants it</Message></Error></ErrorResponse>`,
      );
    });
  }).listen(0, '127.0.0.1');
  await once(sts, 'listening');
});
beforeEach(() => {
  asked = [];
  given.clear();
  lifetimeSeconds = 3600;
  refusal = undefined;
  // Nothing of this machine's own identity.
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', folder);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${(sts.address() as AddressInfo).port}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  sts.closeAllConnections();
  sts.close();
  await proxy.stop();
  await tokens.stop();
  await rm(folder, { recursive: true, force: true });
});

const file = async (name: string, content: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};

const keys = async (accessKeyId: string, secretAccessKey: string, token?: string) => ({
  accessKeyIdFile: await file('id', accessKeyId),
  secretAccessKeyFile: await file('secret', `${secretAccessKey}\n`),
  ...(token === undefined ? {} : { sessionTokenFile: await file('token', token) }),
});

let at = 0;
const placeOf = (over: Partial<S3Place>): S3Place => {
  at += 1;
  return { type: 's3', bucket, region: s3.region, endpoint: proxy.endpoint, prefix: `identity-${at}`, ...over };
};

async function* body(size: number): AsyncIterable<Buffer> {
  yield Buffer.alloc(size, 1);
}

/** Every kind of request that a backup and a restore make, by its name in the protocol. */
async function requestsOf(
  place: S3Place,
  seenBy: Pick<FaultyS3, 'requests'> = proxy,
): Promise<Record<string, IncomingHttpHeaders[]>> {
  const from = seenBy.requests.length;
  const storage = openStorage(place);
  for (const [key, size] of [
    ['small', 5],
    ['large', 20 * MB],
  ] as const) {
    const stored = await storage.write(key, body(size), { once: true, expectedSize: size });
    expect((await readAll(storage, stored)).length).toBe(size);
  }
  const keysThere = [];
  for await (const { key } of storage.list('')) keysThere.push(key);
  expect(keysThere.toSorted()).toEqual(['large', 'small']);
  await storage.remove('small');
  storage.close();
  const seen: Record<string, IncomingHttpHeaders[]> = {};
  for (const request of seenBy.requests.slice(from)) (seen[operationOf(request)] ??= []).push(request.headers);
  expect(Object.keys(seen).toSorted()).toEqual([...OPERATIONS].toSorted());
  return seen;
}

const OPERATIONS = [
  'PutObject',
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'HeadObject',
  'GetObject',
  'ListObjectsV2',
  'DeleteObject',
] as const;

function operationOf({ method, query }: S3Request): (typeof OPERATIONS)[number] {
  if (method === 'PUT') return query.has('partNumber') ? 'UploadPart' : 'PutObject';
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
  if (method === 'HEAD') return 'HeadObject';
  if (method === 'DELETE') return 'DeleteObject';
  return query.has('list-type') ? 'ListObjectsV2' : 'GetObject';
}

/** Which operations carry all of these headers; each of them is in all requests of an operation, or in none. */
function carriers(seen: Record<string, IncomingHttpHeaders[]>, headers: Record<string, string>): string[] {
  return OPERATIONS.filter((operation) => {
    const has = (seen[operation] ?? []).map((request) =>
      Object.entries(headers).every(([name, value]) => request[name] === value),
    );
    expect(new Set(has).size, operation).toBe(1);
    return has[0] === true;
  });
}

describe('what is written', () => {
  const begins = ['PutObject', 'CreateMultipartUpload'];
  const withContent = [...begins, 'UploadPart', 'HeadObject', 'GetObject'];
  const customerKey = Buffer.alloc(32, 7).toString('base64');

  test.each([
    {
      what: 'a storage class',
      over: async () => ({ storageClass: 'STANDARD_IA' }),
      headers: { 'x-amz-storage-class': 'STANDARD_IA' },
      on: begins,
    },
    {
      what: 'SSE-S3',
      over: async () => ({ serverSideEncryption: { type: 'SSE-S3' as const } }),
      headers: { 'x-amz-server-side-encryption': 'AES256' },
      on: begins,
    },
    {
      what: 'SSE-KMS with a key',
      over: async () => ({ serverSideEncryption: { type: 'SSE-KMS' as const, kmsKeyId: 'alias/backups' } }),
      headers: {
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': 'alias/backups',
      },
      on: begins,
    },
    {
      what: 'SSE-C',
      over: async () => ({
        serverSideEncryption: { type: 'SSE-C' as const, customerKeyFile: await file('sse-c', `${customerKey}\n`) },
      }),
      headers: {
        'x-amz-server-side-encryption-customer-algorithm': 'AES256',
        'x-amz-server-side-encryption-customer-key': customerKey,
      },
      on: withContent,
    },
  ])('says $what where the protocol wants it, and nowhere else', async ({ over, headers, on }) => {
    const place = placeOf({ credentials: await keys(s3.accessKeyId, s3.secretAccessKey), ...(await over()) });
    const carrying = carriers(await requestsOf(place), headers);
    // Completing an upload may repeat the customer's key.
    expect(carrying.filter((operation) => operation !== 'CompleteMultipartUpload')).toEqual(on);
  });
});

describe('who we are', () => {
  /** Only what is signed with keys and a token that were given out is seen at all. */
  const withToken = async (over: Partial<S3Place>): Promise<Record<string, IncomingHttpHeaders[]>> =>
    await requestsOf(placeOf({ endpoint: tokens.endpoint, ...over }), tokens);

  test('a session token goes with every request', async () => {
    given.set('ASIAOFSECRET', [{ secretAccessKey: 'of a secret', sessionToken: 'a session' }]);
    const seen = await withToken({ credentials: await keys('ASIAOFSECRET', 'of a secret', 'a session\n') });
    expect(carriers(seen, { 'x-amz-security-token': 'a session' })).toEqual([...OPERATIONS]);
  });

  test('the web identity of the pod is exchanged for keys', async () => {
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('web-identity', 'token-of-the-pod'));
    const seen = await withToken({});
    expect(carriers(seen, { 'x-amz-security-token': 'token-1' })).toEqual([...OPERATIONS]);
    expect(asked.map(({ form }) => form.get('Action'))).toEqual(['AssumeRoleWithWebIdentity']);
    expect(Object.fromEntries(asked[0]!.form)).toMatchObject({ RoleArn: ROLE, WebIdentityToken: 'token-of-the-pod' });
  });

  test('a role is assumed with the given keys, which the storage never sees', async () => {
    const credentials = await keys('AKIDOFBACKUPS', 'none');
    const seen = await withToken({ credentials, roleArn: ROLE, externalId: 'ours' });
    expect(carriers(seen, { 'x-amz-security-token': 'token-1' })).toEqual([...OPERATIONS]);
    expect(asked).toHaveLength(1);
    expect(Object.fromEntries(asked[0]!.form)).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: ROLE,
      ExternalId: 'ours',
    });
    expect(asked[0]!.headers.authorization).toContain('Credential=AKIDOFBACKUPS/');
  });

  test.each([
    { own: true, actions: ['AssumeRole'] },
    { own: false, actions: ['AssumeRoleWithWebIdentity', 'AssumeRole'] },
  ])('the token service is the one of the storage, with its own authority ($actions)', async ({ own, actions }) => {
    const authority = createAuthority();
    const { key, certificate } = authority.issue({ commonName: 'sts' });
    const secure = createSecureServer({ key, cert: certificate }, (request, response) => {
      sts.emit('request', request, response);
    }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://127.0.0.1:1');
    vi.stubEnv('AWS_ROLE_ARN', own ? undefined : ROLE);
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', own ? undefined : await file('web-identity', 'token-of-the-pod'));
    const place = {
      ...(own ? { credentials: await keys('AKIDOFBACKUPS', 'none') } : {}),
      roleArn: ROLE,
      stsEndpoint: `https://127.0.0.1:${(secure.address() as AddressInfo).port}`,
    };
    await withToken({ ...place, caFile: await file('ca.crt', authority.certificate) });
    expect(asked.map(({ form }) => form.get('Action'))).toEqual(actions);
    await expect(openStorage(placeOf({ ...place, endpoint: tokens.endpoint })).head('k')).rejects.toMatchObject({
      reason: own ? 'StorageUnavailable' : expect.any(String),
    });
    expect(asked).toHaveLength(actions.length);
    secure.closeAllConnections();
    secure.close();
  });

  test('a role is assumed with the web identity of the pod', async () => {
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/pod');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('web-identity', 'token-of-the-pod'));
    const seen = await withToken({ roleArn: ROLE });
    expect(carriers(seen, { 'x-amz-security-token': 'token-2' })).toEqual([...OPERATIONS]);
    expect(asked.map(({ form }) => [form.get('Action'), form.get('RoleArn')])).toEqual([
      ['AssumeRoleWithWebIdentity', 'arn:aws:iam::123456789012:role/pod'],
      ['AssumeRole', ROLE],
    ]);
    expect(asked[1]!.headers['x-amz-security-token']).toBe('token-1');
  });

  test.each(['AssumeRole', 'AssumeRoleWithWebIdentity'])(
    'keys of %s that end during a run are renewed before they do',
    async (action) => {
      lifetimeSeconds = 60;
      if (action === 'AssumeRoleWithWebIdentity') {
        vi.stubEnv('AWS_ROLE_ARN', ROLE);
        vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('web-identity', 'token-of-the-pod'));
      }
      const own = { credentials: await keys('AKIDOFBACKUPS', 'none'), roleArn: ROLE };
      const seen = await withToken(action === 'AssumeRole' ? own : {});
      const used = new Set(
        Object.values(seen)
          .flat()
          .map((headers) => headers['x-amz-security-token']),
      );
      expect(used.size).toBeGreaterThan(1);
      expect(new Set(asked.map(({ form }) => form.get('Action')))).toEqual(new Set([action]));
    },
  );

  test.each([
    { what: 'a role', own: true, code: 'AccessDenied' },
    { what: 'an identity', own: false, code: 'InvalidIdentityToken' },
    { what: 'an old identity', own: false, code: 'ExpiredTokenException' },
  ])('$what that is refused is denied, with the reason and no secret', async ({ own, code }) => {
    refusal = code;
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('web-identity', 'token-of-the-pod'));
    const place = placeOf(own ? { credentials: await keys('AKIDOFBACKUPS', 'never-said'), roleArn: ROLE } : {});
    const error: unknown = await openStorage(place)
      .head('k')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'StorageDenied', message: expect.stringContaining(code) });
    expect((error as Error).message).not.toMatch(/never-said|token-of-the-pod/);
  });

  test('without any identity it is denied', async () => {
    expect(
      await openStorage(placeOf({}))
        .head('k')
        .catch((thrown: unknown) => thrown),
    ).toMatchObject({ reason: 'StorageDenied' });
  });
});
