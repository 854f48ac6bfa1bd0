import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assumeRole } from './assume-role.ts';

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' };
let server: Server;
let endpoint: string;
const seen: { authorization: string | undefined; body: URLSearchParams }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const form = new URLSearchParams(body);
      seen.push({ authorization: request.headers.authorization, body: form });
      const allowed = form.get('ExternalId') === 'ours';
      response.writeHead(allowed ? 200 : 403, { 'content-type': 'text/xml' });
      response.end(
        allowed
          ? '<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>'
          : '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>',
      );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
});
afterAll(() => {
  server.close();
});

const role = { roleArn: 'arn:aws:iam::123456789012:role/backup', region: 'eu-west-1' };

test('a role is assumed with a signed request', async () => {
  expect(await assumeRole(keys, { ...role, externalId: 'ours', endpoint })).toEqual({
    accessKeyId: 'ASIA1',
    secretAccessKey: 's',
    sessionToken: 't',
    expiration: new Date('2030-01-01T00:00:00Z'),
  });
  const { authorization, body } = seen.at(-1)!;
  expect(authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/sts\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
  );
  expect(body.get('RoleArn')).toBe(role.roleArn);
});

test('a refusal names the role and the reason, and no secret', async () => {
  await expect(assumeRole(keys, { ...role, endpoint })).rejects.toMatchObject({
    reason: 'StorageDenied',
    message: expect.stringMatching(/role\/backup cannot be assumed: AccessDenied: not yours$/),
  });
  await expect(assumeRole(keys, { ...role, endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    reason: 'StorageUnavailable',
  });
});
