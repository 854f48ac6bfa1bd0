/** AssumeRole of AWS STS: one signed request. */
import { createHash, createHmac } from 'node:crypto';
import { Agent, request } from 'undici';
import { RunError } from './errors.ts';

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Whose credentials are asked for, and where. */
export interface RoleToAssume {
  roleArn: string;
  region: string;
  externalId?: string;
  /** Of STS; by default that of the region, or AWS_ENDPOINT_URL_STS. */
  endpoint?: string;
  /** Authorities of its certificate (PEM); by default those of Node. */
  ca?: readonly string[];
}

const TIMEOUT_MS = 30_000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Signature Version 4 of a POST with a form. */
function signed(url: URL, body: string, keys: Keys, region: string, now: Date): Record<string, string> {
  const time = now.toISOString().replaceAll(/[:-]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${region}/sts/aws4_request`;
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    host: url.host,
    'x-amz-date': time,
    ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
  };
  const names = Object.keys(headers).toSorted();
  const canonical = [
    'POST',
    url.pathname,
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
  const signingKey = scope
    .split('/')
    .reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${keys.secretAccessKey}`);
  const signature = hmac(signingKey, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

const element = (xml: string, name: string): string | undefined =>
  new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1];

/** @throws RunError StorageDenied when STS refuses, StorageUnavailable when it does not answer. */
export async function assumeRole(keys: Keys, role: RoleToAssume): Promise<Keys & { expiration: Date }> {
  const suffix = role.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const endpoint = role.endpoint ?? process.env['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${role.region}.${suffix}`;
  const url = new URL(endpoint);
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role.roleArn,
    RoleSessionName: 'xdatabase',
    DurationSeconds: '3600',
    ...(role.externalId === undefined ? {} : { ExternalId: role.externalId }),
  }).toString();
  const { host: _, ...headers } = signed(url, body, keys, role.region, new Date());
  const dispatcher = new Agent(role.ca === undefined ? {} : { connect: { ca: [...role.ca] } });
  let status: number;
  let xml: string;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await request(url, { method: 'POST', headers, body, dispatcher, signal });
    status = response.statusCode;
    xml = await response.body.text();
  } catch (error) {
    throw new RunError('StorageUnavailable', `STS at ${url.host} does not answer: ${String(error)}`, { cause: error });
  } finally {
    await dispatcher.destroy();
  }
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((name) => element(xml, name));
  if (status !== 200 || !accessKeyId || !secretAccessKey || !sessionToken || !expiration)
    throw new RunError(
      status >= 500 ? 'StorageUnavailable' : 'StorageDenied',
      `role ${role.roleArn} cannot be assumed: ${element(xml, 'Code') ?? status}: ${element(xml, 'Message') ?? ''}`,
    );
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiration) };
}
