import { request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { createLog, silentLog } from '../log.ts';
import { type HealthOptions, parseAddress, type RunningServer, serveHealth, serveMetrics } from './health.ts';
import { Metrics } from './metrics.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((it) => it.close()));
});

async function get(server: RunningServer | undefined, path: string, method: 'GET' | 'POST' = 'GET') {
  if (server === undefined) throw new Error('nothing is served');
  running.push(server);
  const { statusCode, body, headers } = await request(`http://127.0.0.1:${server.port}${path}`, { method });
  return { status: statusCode, text: await body.text(), type: headers['content-type'] };
}

const health = (options: Partial<HealthOptions>) => serveHealth({ address: '127.0.0.1:0', log: silentLog, ...options });

describe('the health server', () => {
  it('says ok, or which check failed but not why', async () => {
    const lines: string[] = [];
    const server = await health({
      live: { alive: () => undefined },
      ready: {
        synced: () => Promise.resolve(true),
        leader: () => false,
        server: () => Promise.reject(new Error('password hunter2 is wrong')),
      },
      log: createLog({ stream: { write: (line) => lines.push(line) } }),
    });
    expect(await get(server, '/healthz')).toMatchObject({ status: 200, text: 'ok' });
    expect((await get(server, '/healthz?verbose')).text).toBe('[+]alive ok\ncheck passed\n');
    expect(await get(server, '/readyz')).toMatchObject({
      status: 500,
      text: '[+]synced ok\n[-]leader failed: reason withheld\n[-]server failed: reason withheld\ncheck failed\n',
    });
    expect(lines).toHaveLength(1);
  });

  it('knows no other path and no other method', async () => {
    const server = await health({});
    expect((await get(server, '/')).status).toBe(404);
    expect((await get(server, '/constructor')).status).toBe(404);
    expect((await get(server, '/healthz', 'POST')).status).toBe(405);
  });
});

describe('the metrics server', () => {
  it('serves the registry in Prometheus’ format', async () => {
    const { registry } = new Metrics();
    const answer = await get(await serveMetrics({ address: '127.0.0.1:0', registry, log: silentLog }), '/metrics');
    expect(answer.status).toBe(200);
    expect(answer.type).toContain('text/plain');
    expect(answer.text).toContain('# TYPE controller_runtime_reconcile_total counter');
  });

  it('is off at address 0', async () => {
    const { registry } = new Metrics({ defaults: false });
    expect(await serveMetrics({ address: '0', registry, log: silentLog })).toBeUndefined();
  });

  it('says that its port is taken', async () => {
    const server = await health({});
    if (server) running.push(server);
    await expect(health({ address: `127.0.0.1:${server?.port}` })).rejects.toThrow('EADDRINUSE');
  });
});

describe('parseAddress', () => {
  it.each([
    [':8080', undefined, 8080],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['localhost:0', 'localhost', 0],
    ['[::1]:9090', '::1', 9090],
  ])('reads %s', (address, host, port) => {
    expect(parseAddress(address)).toEqual({ host, port });
  });

  it.each(['8080', 'host:', ':99999', '::1:80', 'http://x:1'])('refuses %s', (address) => {
    expect(() => parseAddress(address)).toThrow('is not an address');
  });
});
