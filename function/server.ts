/** The gRPC server of the function: who may call it, what it answers, how it stops. */
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  FunctionRunnerServiceService,
  type RunFunctionRequest,
  type RunFunctionResponse,
  Severity,
} from '@crossplane-org/function-sdk-typescript';
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { compose } from './compose.ts';
import { Health, HealthService } from './health.ts';
import { createVerifiedTls } from './verified-tls.ts';

export interface FunctionOptions {
  /** host:port, [IPv6]:port, or :port for every address of the machine. Port 0 takes a free one. */
  address: string;
  /** Serves without TLS, for tools on this machine only. */
  insecure?: boolean;
  /** Folder with tls.crt, tls.key and ca.crt; required unless insecure. Read once: Crossplane's certificates live ten years. */
  certsDir?: string;
  /** Largest request in bytes; default 16 MiB, as observed state of many resources outgrows gRPC's own 4 MiB. */
  maxReceiveBytes?: number;
  /** How long calls that run may take to end after stop(), in milliseconds. Default 10 s. */
  drainMs?: number;
  /** Called for each client that was not let in. */
  onRefused?: (reason: string) => void;
  /** Called once for each request, with how long it took. */
  onCall?: (call: { tag: string; fatal: string | undefined; milliseconds: number }) => void;
}

export interface FunctionServer {
  port: number;
  /** Lets calls end, at most until the deadline. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
const DEFAULT_DRAIN_MS = 10_000;

/** A listener that is bound, and how to close it. */
interface Listener {
  port: number;
  close(): void;
}

/** grpc-js and node:net want a host; every address is the one of IPv6, which takes IPv4 too. */
const withHost = (address: string): string => (address.startsWith(':') ? `[::]${address}` : address);

const bind = async (server: Server, address: string): Promise<Listener> =>
  await new Promise((resolve, reject) => {
    server.bindAsync(withHost(address), ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve({ port, close: () => {} });
      else reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });

async function listen(server: Server, options: FunctionOptions): Promise<Listener> {
  if (options.insecure === true) return await bind(server, options.address);
  const { certsDir } = options;
  // An empty folder name must not mean "in the clear".
  if (certsDir === undefined || certsDir === '')
    throw new Error('a folder with tls.crt, tls.key and ca.crt is required (or insecure)');
  const [authority = '', certificate = '', key = ''] = await Promise.all(
    ['ca.crt', 'tls.crt', 'tls.key'].map(async (name) => await readFile(join(certsDir, name), 'utf8')),
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createVerifiedTls({
    authority,
    certificate,
    key,
    onConnection: (socket) => {
      injector.injectConnection(socket);
    },
    ...(options.onRefused === undefined ? {} : { onRefused: options.onRefused }),
  });
  const { host, port } = hostAndPort(options.address);
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error) => {
      reject(new Error(`cannot listen on ${options.address}: ${error.message}`, { cause: error }));
    });
    // Without a host Node takes every address, of IPv4 alone where there is no IPv6.
    listener.listen(host === '::' ? { port } : { port, host }, resolve);
  });
  return {
    port: (listener.address() as AddressInfo).port,
    close: () => {
      listener.close();
      injector.drain(options.drainMs ?? DEFAULT_DRAIN_MS);
    },
  };
}

function hostAndPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(withHost(address));
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new Error(`cannot listen on ${address}: it must be host:port, [IPv6]:port or :port`);
  return { host: match[1] ?? match[2] ?? '', port };
}

/**
 * Serves the function and grpc.health.v1.
 * @throws Error when a certificate cannot be read or the address cannot be bound.
 */
export async function startFunction(options: FunctionOptions): Promise<FunctionServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES,
    'grpc.max_send_message_length': -1,
  });
  const health = new Health(['apiextensions.fn.proto.v1.FunctionRunnerService']);
  server.addService(FunctionRunnerServiceService, {
    runFunction(
      { request }: ServerUnaryCall<RunFunctionRequest, RunFunctionResponse>,
      callback: sendUnaryData<RunFunctionResponse>,
    ): void {
      const start = performance.now();
      const response = compose(request);
      callback(null, response);
      options.onCall?.({
        tag: request.meta?.tag ?? '',
        fatal: response.results.find(({ severity }) => severity === Severity.SEVERITY_FATAL)?.message,
        milliseconds: performance.now() - start,
      });
    },
  });
  server.addService(HealthService, health.implementation);
  let listener: Listener;
  try {
    listener = await listen(server, options);
  } catch (error) {
    server.forceShutdown();
    throw error;
  }
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    health.stop();
    listener.close();
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => {
        server.forceShutdown();
        resolve();
      }, options.drainMs ?? DEFAULT_DRAIN_MS);
      server.tryShutdown(() => {
        clearTimeout(deadline);
        resolve();
      });
    });
  };
  return { port: listener.port, stop: async () => await (stopping ??= stop()) };
}
