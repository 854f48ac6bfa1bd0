import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FunctionRunnerServiceService,
  RunFunctionRequest,
  type RunFunctionResponse,
} from '@crossplane-org/function-sdk-typescript';
import {
  type ChannelCredentials,
  credentials,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CertificateAuthority, type CertificateRequest, createAuthority } from '../../test/rig/certificates.ts';
import { freePort } from '../../test/rig/process.ts';
import { fatal, xr } from '../compose.fixture.ts';
import { HealthService } from './health.ts';
import { type FunctionOptions, type FunctionServer, startFunction } from './server.ts';

type Unary<T> = (request: unknown, callback: (error: ServiceError | null, response: T) => void) => void;

const Runner = makeGenericClientConstructor(FunctionRunnerServiceService, 'FunctionRunnerService');
const Health = makeGenericClientConstructor(HealthService, 'Health');

async function ask<T>(
  Client: typeof Runner,
  method: string,
  port: number,
  channel: ChannelCredentials,
  request: unknown,
): Promise<T> {
  const client = new Client(`127.0.0.1:${port}`, channel);
  try {
    return await new Promise<T>((resolve, reject) => {
      (client[method] as Unary<T>).call(client, request, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}

const run = async (port: number, channel = credentials.createInsecure(), tag = 't'): Promise<RunFunctionResponse> =>
  await ask(
    Runner,
    'runFunction',
    port,
    channel,
    RunFunctionRequest.fromPartial({ meta: { tag }, observed: { composite: { resource: xr() } } }),
  );

const check = async (port: number, service: string): Promise<{ status: number }> =>
  await ask(Health, 'Check', port, credentials.createInsecure(), { service });

async function started(options: FunctionOptions): Promise<FunctionServer> {
  const server = await startFunction(options);
  onTestFinished(async () => {
    await server.stop();
  });
  return server;
}

const insecure = { address: '127.0.0.1:0', insecure: true };

describe('with TLS', () => {
  const authority = createAuthority();
  const stranger = createAuthority('stranger');
  const client = authority.issue({ commonName: 'crossplane', usage: 'client', hosts: [] });
  const root = Buffer.from(authority.certificate);
  let certsDir: string;

  beforeAll(async () => {
    certsDir = await mkdtemp(join(tmpdir(), 'xdatabase-function-'));
    const server = authority.issue({ commonName: 'function', usage: 'server' });
    await writeFile(join(certsDir, 'ca.crt'), authority.certificate);
    await writeFile(join(certsDir, 'tls.crt'), server.certificate);
    await writeFile(join(certsDir, 'tls.key'), server.key);
  });
  afterAll(async () => {
    await rm(certsDir, { recursive: true });
  });

  const tls = (pair?: { certificate: string; key: string }): ChannelCredentials =>
    credentials.createSsl(
      root,
      pair === undefined ? null : Buffer.from(pair.key),
      pair === undefined ? null : Buffer.from(pair.certificate),
    );

  test('a client with a certificate of the authority is answered', async () => {
    const { port } = await started({ address: '127.0.0.1:0', certsDir });
    expect(fatal(await run(port, tls(client)))).toBeUndefined();
  });

  test('the certificate that Crossplane gives itself is taken, though its subject is that of the authority', async () => {
    const own = authority.issue({ commonName: 'xdatabase test authority', usage: 'client', hosts: [] });
    const { port } = await started({ address: '127.0.0.1:0', certsDir });
    expect(fatal(await run(port, tls(own)))).toBeUndefined();
  });

  const clientOf = (issuer: CertificateAuthority, more: Partial<CertificateRequest> = {}): ChannelCredentials =>
    tls(issuer.issue({ commonName: 'crossplane', usage: 'client', hosts: [], ...more }));
  const past = { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') };
  const future = { notBefore: new Date('2090-01-01'), notAfter: new Date('2090-02-01') };
  const other = 'the certificate of the client is of another authority';

  test.each<[string, string | undefined, () => ChannelCredentials]>([
    ['without a certificate', 'the client has no certificate', () => tls()],
    ['of another authority', other, () => clientOf(stranger)],
    ['of another authority with the same name', other, () => clientOf(createAuthority())],
    [
      "with a server's certificate",
      'the certificate is not for clients',
      () => clientOf(authority, { usage: 'server' }),
    ],
    ['with an expired certificate', 'the certificate of the client has expired', () => clientOf(authority, past)],
    ['that is early', 'the certificate of the client is not valid yet', () => clientOf(authority, future)],
    ['without TLS', undefined, () => credentials.createInsecure()],
  ])('a client %s is refused', async (_, reason, channel) => {
    const reasons: string[] = [];
    const { port } = await started({
      address: '127.0.0.1:0',
      certsDir,
      onRefused: (why) => {
        reasons.push(why);
      },
    });
    await expect(run(port, channel())).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(reasons[0]).toBe(reason);
  });

  test('an address in use is an error that names it', async () => {
    const { port } = await started({ address: '127.0.0.1:0', certsDir });
    await expect(startFunction({ address: `127.0.0.1:${port}`, certsDir })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}`,
    );
    await expect(startFunction({ address: 'nowhere', certsDir })).rejects.toThrow('it must be host:port');
  });

  test('renewed certificates are taken without a restart, and bad ones leave the old in use', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'xdatabase-function-'));
    onTestFinished(async () => {
      await rm(folder, { recursive: true });
    });
    const write = async (issuer: CertificateAuthority): Promise<void> => {
      const pair = issuer.issue({ commonName: 'function', usage: 'server' });
      await writeFile(join(folder, 'ca.crt'), issuer.certificate);
      await writeFile(join(folder, 'tls.key'), pair.key);
      await writeFile(join(folder, 'tls.crt'), pair.certificate);
    };
    await write(authority);
    const heard: (string | undefined)[] = [];
    const events = new EventEmitter();
    const { port } = await started({
      address: '127.0.0.1:0',
      certsDir: folder,
      rereadMs: 10,
      onCertificates: (failure) => {
        heard.push(failure);
        events.emit('heard');
      },
    });
    await writeFile(join(folder, 'tls.crt'), '');
    await once(events, 'heard');
    expect(heard).toEqual([`${join(folder, 'tls.crt')} is empty`]);
    expect(fatal(await run(port, tls(client)))).toBeUndefined();

    await write(stranger);
    while (heard.at(-1) !== undefined) await once(events, 'heard');
    await expect(run(port, tls(client))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const { certificate, key } = stranger.issue({ commonName: 'crossplane', usage: 'client', hosts: [] });
    const channel = credentials.createSsl(
      Buffer.from(stranger.certificate),
      Buffer.from(key),
      Buffer.from(certificate),
    );
    expect(fatal(await run(port, channel))).toBeUndefined();
  });

  test.each(['ca.crt', 'tls.crt', 'tls.key'])(
    'an empty %s is an error, not a server that nobody can call',
    async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'xdatabase-function-'));
      onTestFinished(async () => {
        await rm(folder, { recursive: true });
      });
      await cp(certsDir, folder, { recursive: true });
      await writeFile(join(folder, name), '');
      await expect(startFunction({ address: '127.0.0.1:0', certsDir: folder })).rejects.toThrow(`${name} is empty`);
    },
  );

  test.each([undefined, '', '/does/not/exist'])('a folder %j does not mean in the clear', async (folder) => {
    await expect(
      startFunction({ address: '127.0.0.1:0', ...(folder === undefined ? {} : { certsDir: folder }) }),
    ).rejects.toThrow(/tls\.crt|ENOENT/);
  });
});

describe('the server', () => {
  test('echoes the tag', async () => {
    const { port } = await started(insecure);
    expect((await run(port, credentials.createInsecure(), 'abc')).meta?.tag).toBe('abc');
  });

  test('takes more than 4 MiB, and no more than it was told', async () => {
    const { port } = await started({ ...insecure, maxReceiveBytes: 6 * 1024 * 1024 });
    const ofSize = (mib: number) =>
      ask<RunFunctionResponse>(
        Runner,
        'runFunction',
        port,
        credentials.createInsecure(),
        RunFunctionRequest.fromPartial({ context: { text: 'x'.repeat(mib * 1024 * 1024) } }),
      ).catch((error: ServiceError) => error.code);
    expect(await ofSize(7)).toBe(status.RESOURCE_EXHAUSTED);
    // The answer holds the context too, which a client takes 4 MiB of when it is not told otherwise.
    expect(await ofSize(3)).toMatchObject({ meta: { tag: '' } });
  });

  test('says that it serves, and does not know what it does not serve', async () => {
    const { port } = await started(insecure);
    expect(await check(port, '')).toEqual({ status: 1 });
    expect(await check(port, 'apiextensions.fn.proto.v1.FunctionRunnerService')).toEqual({ status: 1 });
    await expect(check(port, 'other')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a watch of its health does not hold up the end, and hears of it', async () => {
    const server = await startFunction({ ...insecure, drainMs: 60_000 });
    const client = new Health(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const heard: number[] = [];
    const stream = (client['Watch'] as (request: unknown) => NodeJS.ReadableStream).call(client, { service: '' });
    stream.on('data', ({ status: one }: { status: number }) => heard.push(one));
    await once(stream, 'data');
    const ended = once(stream, 'end');
    await server.stop();
    await ended;
    client.close();
    expect(heard).toEqual([1, 2]);
  });

  test('an address in use is an error that names it', async () => {
    const { port } = await started(insecure);
    await expect(startFunction({ address: `127.0.0.1:${port}`, insecure: true })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}`,
    );
  });
});

describe('the process', () => {
  const start = (...args: string[]): ChildProcess =>
    spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = async (child: ChildProcess): Promise<unknown> => (await once(child, 'exit'))[0];

  test('ends with 1 when the address is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    expect(await exit(start('--insecure', '--address', `127.0.0.1:${port}`))).toBe(1);
  });

  test('ends with 1 when it has no certificates', async () => {
    expect(await exit(start('--address', '127.0.0.1:0', '--tls-server-certs-dir', '/does/not/exist'))).toBe(1);
  });

  test('ends with 2 on a flag that it does not know', async () => {
    expect(await exit(start('--colour'))).toBe(2);
    expect(await exit(start('--max-recv-message-size', 'many'))).toBe(2);
  });

  test('listens on every address with :PORT, and ends with 0 on SIGTERM', async () => {
    const port = await freePort();
    const child = start('--insecure', '--address', `:${port}`);
    await once(child.stdout!, 'data');
    expect(fatal(await run(port))).toBeUndefined();
    const code = exit(child);
    child.kill('SIGTERM');
    expect(await code).toBe(0);
  });
});
