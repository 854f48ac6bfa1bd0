/**
 * The two small HTTP servers of a controller: /metrics for Prometheus, /healthz and /readyz for the kubelet.
 *
 * Health answers as controller-runtime's does: `ok`, or a list of the checks; with `?verbose` always the list. Why a
 * check failed is logged, not served: the port is open to anyone.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Log } from '../log.ts';

/** Passes, or fails by returning false, throwing or rejecting. */
export type Check = () => boolean | void | Promise<boolean | void>;

export interface RunningServer {
  /** The port in use, also when 0 was asked for. */
  port: number;
  close(): Promise<void>;
}

export interface HealthOptions {
  /** `host:port` or `:port`; `0` serves nothing. */
  address: string;
  /** For /healthz: failing makes the kubelet restart the container. */
  live?: Record<string, Check>;
  /** For /readyz: failing takes the pod out of service. */
  ready?: Record<string, Check>;
  log: Log;
}

type Route = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A check that takes longer has failed. */
const CHECK_TIMEOUT_MS = 5_000;

export async function serveHealth(options: HealthOptions): Promise<RunningServer | undefined> {
  return await serve(options.address, options.log, {
    '/healthz': (request, response) => answer(request, response, options.live ?? {}, options.log),
    '/livez': (request, response) => answer(request, response, options.live ?? {}, options.log),
    '/readyz': (request, response) => answer(request, response, options.ready ?? {}, options.log),
  });
}

export async function serveMetrics(options: {
  address: string;
  registry: Registry;
  log: Log;
}): Promise<RunningServer | undefined> {
  return await serve(options.address, options.log, {
    '/metrics': async (_, response) => {
      const text = await options.registry.metrics();
      response.writeHead(200, { 'content-type': options.registry.contentType }).end(text);
    },
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  checks: Record<string, Check>,
  log: Log,
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, passed: await passes(name, check, log) })),
  );
  const passed = results.every((result) => result.passed);
  const verbose = !passed || new URL(request.url ?? '/', 'http://localhost').searchParams.has('verbose');
  const lines = results.map(({ name, passed }) => (passed ? `[+]${name} ok` : `[-]${name} failed: reason withheld`));
  const text = verbose ? [...lines, passed ? 'check passed' : 'check failed', ''].join('\n') : 'ok';
  response.writeHead(passed ? 200 : 500, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

async function passes(name: string, check: Check, log: Log): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        resolve(false);
      }, CHECK_TIMEOUT_MS);
    });
    return (await Promise.race([check(), late])) !== false;
  } catch (error) {
    log.warn({ err: error, check: name }, 'a health check failed');
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function serve(address: string, log: Log, routes: Record<string, Route>): Promise<RunningServer | undefined> {
  if (address === '0' || address === '') return undefined;
  const { host, port } = parseAddress(address);
  const server = createServer((request, response) => {
    const route = routes[(request.url ?? '/').split('?', 1)[0] ?? '/'];
    response.setHeader('x-content-type-options', 'nosniff');
    if (route === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(route === undefined ? 404 : 405).end();
      return;
    }
    route(request, response).catch((error: unknown) => {
      log.error({ err: error, path: request.url }, 'a request to a service port failed');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.requestTimeout = 10_000;
  await listening(server, host, port);
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`. @throws Error that says what is wrong with it */
export function parseAddress(address: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new Error(`${JSON.stringify(address)} is not an address: use host:port, :port, or 0`);
  return { host: match[1] ?? (match[2] || undefined), port };
}

async function listening(server: Server, host: string | undefined, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
