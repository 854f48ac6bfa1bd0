/** Where the function listens and who is let in. */
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { readCertificates, watchCertificates } from './certificates.ts';
import { createVerifiedTls } from './verified-tls.ts';

export interface ListenOptions {
  /** host:port, [IPv6]:port, or :port for every address of the machine. Port 0 takes a free one. */
  address: string;
  /** Serves without TLS, for tools on this machine only. */
  insecure?: boolean;
  /** Folder with tls.crt, tls.key and ca.crt; required unless insecure. */
  certsDir?: string;
  /** How often the folder is looked at for other certificates, in milliseconds. Default one minute. */
  rereadMs?: number;
  /** How long calls that run may take to end after stop(), in milliseconds. Default 10 s. */
  drainMs?: number;
  /** Called when other certificates were taken, or with the reason why they cannot be: then the old ones stay in use. */
  onCertificates?: (failure: string | undefined) => void;
  /** Called for each client that was not let in. */
  onRefused?: (reason: string) => void;
}

export const DEFAULT_DRAIN_MS = 10_000;
const DEFAULT_REREAD_MS = 60_000;

/** A listener that is bound, and how to close it. */
export interface Bound {
  port: number;
  close(): void;
}

/** What takes connections; those that may call are given to `onConnection`. */
interface Door {
  listener: NetServer;
  close(): void;
}

function openDoor(onConnection: (socket: Socket) => void): Door {
  const listener = createServer((socket) => {
    socket.on('error', () => {
      // A client that goes away is its own affair.
    });
    onConnection(socket);
  });
  return { listener, close() {} };
}

async function guardedDoor(options: ListenOptions, onConnection: (socket: Socket) => void): Promise<Door> {
  const { certsDir } = options;
  // An empty folder name must not mean "in the clear".
  if (certsDir === undefined || certsDir === '')
    throw new Error('a folder with tls.crt, tls.key and ca.crt is required (or insecure)');
  const certificates = await readCertificates(certsDir);
  const guarded = createVerifiedTls({
    certificates,
    onConnection,
    ...(options.onRefused === undefined ? {} : { onRefused: options.onRefused }),
  });
  const close = watchCertificates({
    folder: certsDir,
    current: certificates,
    everyMs: options.rereadMs ?? DEFAULT_REREAD_MS,
    onRenewed: (renewed) => {
      guarded.renew(renewed);
      options.onCertificates?.(undefined);
    },
    onFailure: (message) => options.onCertificates?.(message),
  });
  return { listener: guarded.listener, close };
}

/** @throws Error when a certificate cannot be read or the address cannot be bound. */
export async function listen(server: Server, options: ListenOptions): Promise<Bound> {
  const { host, port } = hostAndPort(options.address);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const take = (socket: Socket): void => injector.injectConnection(socket);
  const door = options.insecure === true ? openDoor(take) : await guardedDoor(options, take);
  const { listener } = door;
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      // Without a host Node takes every address, of IPv4 alone where there is no IPv6.
      listener.listen(host === '::' ? { port } : { port, host }, resolve);
    });
  } catch (error) {
    door.close();
    throw new Error(`cannot listen on ${options.address}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return {
    port: (listener.address() as AddressInfo).port,
    close: () => {
      door.close();
      listener.close();
      injector.drain(options.drainMs ?? DEFAULT_DRAIN_MS);
    },
  };
}

function hostAndPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address.startsWith(':') ? `[::]${address}` : address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new Error(`cannot listen on ${address}: it must be host:port, [IPv6]:port or :port`);
  return { host: match[1] ?? match[2] ?? '', port };
}
