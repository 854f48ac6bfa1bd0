import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { notOurs, OwnServer, startInFolder } from './own-server.ts';
import { freePort } from './process.ts';

/** Counts its starts in its folder, and says how many there were. */
const program = `
  const { readFileSync, writeFileSync } = require('node:fs');
  const [port, file] = process.argv.slice(1);
  let starts = 1;
  try { starts += Number(readFileSync(file)); } catch {}
  writeFileSync(file, String(starts));
  require('node:http').createServer((_, response) => response.end(String(starts))).listen(Number(port), '127.0.0.1');`;

const ask = async (port: number): Promise<string> => await (await fetch(`http://127.0.0.1:${port}`)).text();

const start = async (folder: string, port: number): Promise<OwnServer> =>
  await OwnServer.start({
    name: 'counter',
    command: process.execPath,
    args: ['-e', program, String(port), join(folder, 'starts')],
    logFile: join(folder, 'log'),
    folder,
    ready: async () => await ask(port),
  });

test('a server goes and comes back at one address with what it kept, and at the end takes its folder along', async () => {
  const port = await freePort();
  let place = '';
  const server = await startInFolder('counter', async (folder) => {
    place = folder;
    return await start(folder, port);
  });
  await server.up();
  expect(await ask(port)).toBe('1');
  await server.down('SIGKILL');
  await expect(ask(port)).rejects.toThrow('fetch failed');
  expect(existsSync(place)).toBe(true);
  await server.up();
  expect(await ask(port)).toBe('2');
  await server.stop();
  expect(existsSync(place)).toBe(false);
});

test('a server whose port another program took starts on another', async () => {
  const other = createServer((_, response) => response.writeHead(404).destroy()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const ports = [(other.address() as AddressInfo).port, await freePort()];
  const server = await startInFolder('counter', async (folder) => await start(folder, ports.shift()!));
  expect(ports).toEqual([]);
  await server.stop();
  other.close();
});

test('a server that ends at once leaves no folder, and is not tried again', async () => {
  const places: string[] = [];
  const starting = startInFolder('counter', async (folder) => {
    places.push(folder);
    const logFile = join(folder, 'log');
    const args = ['-c', 'echo no such luck; exit 3'];
    return await OwnServer.start({ name: 'a shell', command: '/bin/sh', args, logFile, ready: async () => false });
  });
  await expect(starting).rejects.toThrow(/a shell is ready: the program ended[^]*no such luck/);
  expect(places.map((place) => existsSync(place))).toEqual([false]);
});

test('a server that somebody else runs is left as it is', async () => {
  const life = notOurs('that server');
  await expect(life.down()).rejects.toThrow('that server is not ours to stop');
  await expect(life.up()).rejects.toThrow('that server is not ours to stop');
  await life.stop();
});
