/**
 * In front of an S3 server that knows no session tokens: it checks who has signed a request, with which token, and passes it
 * on signed with the key of the server.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { S3Address } from './s3.ts';
import type { S3Request } from './s3-faults.ts';

export interface SessionKeys {
  secretAccessKey: string;
  sessionToken: string;
}

export interface TokenS3 {
  endpoint: string;
  /** Requests that were signed as they have to be, oldest first. */
  readonly requests: readonly S3Request[];
  stop(): Promise<void>;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Signature Version 4 of a request whose headers are complete. */
function signatureOf(
  { method = '', url = '' }: IncomingMessage,
  headers: IncomingHttpHeaders,
  { signed, scope, secret }: { signed: string; scope: string; secret: string },
): string {
  const [path = '', query = ''] = url.split('?');
  const parameters = query === '' ? [] : query.split('&').map((part) => (part.includes('=') ? part : `${part}=`));
  const canonical = [
    method,
    path,
    parameters.toSorted().join('&'),
    ...signed.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    signed,
    String(headers['x-amz-content-sha256']),
  ].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((from, part) => hmac(from, part), `AWS4${secret}`);
  const text = ['AWS4-HMAC-SHA256', String(headers['x-amz-date']), scope, sha256(canonical)].join('\n');
  return hmac(key, text).toString('hex');
}

/** @param keysOf Keys that are valid just now, by access key ID; several tokens may go with one. */
export async function startTokenS3(
  target: S3Address,
  keysOf: (accessKeyId: string) => readonly SessionKeys[],
): Promise<TokenS3> {
  const { hostname, port } = new URL(target.endpoint);
  const requests: S3Request[] = [];
  const server = createServer((incoming, response) => {
    const { headers } = incoming;
    const [, id = '', scope = '', signed = '', signature] =
      /Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=(\w+)/.exec(headers.authorization ?? '') ?? [];
    const isKnown = keysOf(id).some(
      ({ secretAccessKey: secret, sessionToken }) =>
        headers['x-amz-security-token'] === sessionToken &&
        signed.split(';').includes('x-amz-security-token') &&
        signatureOf(incoming, headers, { signed, scope, secret }) === signature,
    );
    if (!isKnown) {
      incoming.resume();
      response.writeHead(403, { 'content-type': 'application/xml', connection: 'close' });
      response.end('<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>');
      return;
    }
    const url = new URL(incoming.url ?? '/', target.endpoint);
    requests.push({ method: incoming.method ?? '', path: url.pathname, query: url.searchParams, headers });
    const { authorization: _, 'x-amz-security-token': __, ...onward } = headers;
    const own = signed
      .split(';')
      .filter((name) => name !== 'x-amz-security-token')
      .join(';');
    const again = signatureOf(incoming, onward, { signed: own, scope, secret: target.secretAccessKey });
    const authorization = `AWS4-HMAC-SHA256 Credential=${target.accessKeyId}/${scope}, SignedHeaders=${own}, Signature=${again}`;
    const passed = httpRequest(
      { hostname, port, path: incoming.url, method: incoming.method, headers: { ...onward, authorization } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    incoming.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
