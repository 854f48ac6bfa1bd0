import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withLock } from './lock.mjs';
import { freePorts, startProcess, waitFor } from './process.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-process-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const shell = (script: string): { name: string; command: string; args: string[]; logFile: string } => ({
  name: 'a shell',
  command: '/bin/sh',
  args: ['-c', script],
  logFile: join(folder, 'log'),
});

describe('a server', () => {
  test('stops when told, twice does no harm', async () => {
    const server = await startProcess(shell('exec sleep 600'));
    expect(isRunning(server.pid)).toBe(true);
    await server.stop();
    await server.stop();
    expect(server.running).toBe(false);
    expect(isRunning(server.pid)).toBe(false);
  });

  test('that ends while it is waited for tells what it logged', async () => {
    const server = await startProcess(shell('echo no such luck; exit 1'));
    const waiting = waitFor('it is ready', () => false, { server });
    await expect(waiting).rejects.toThrow(/it is ready: the program ended[^]*no such luck/);
  });

  test('that does not exist is an error with its name', async () => {
    await expect(startProcess({ ...shell(''), command: '/nonexistent/program' })).rejects.toThrow(/a shell could not/);
  });

  test('goes, with its folder, when the process that started it is killed', async () => {
    const data = join(folder, 'data');
    const program = join(folder, 'program.ts');
    await writeFile(
      program,
      `import { mkdirSync } from 'node:fs';
       import { startProcess } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
       mkdirSync(${JSON.stringify(data)});
       const options = { name: 'sleep', command: 'sleep', args: ['600'], logFile: ${JSON.stringify(join(folder, 'log'))} };
       const server = await startProcess({ ...options, folder: ${JSON.stringify(data)} });
       console.log(server.pid);
       setInterval(() => {}, 1000);`,
    );
    const parent = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await waitFor('the server ends', () => !isRunning(pid));
    await waitFor('its folder is deleted', () => !existsSync(data));
  });
});

test('waiting ends with the last error when time runs out', async () => {
  const probe = (): never => {
    throw new Error('still closed');
  };
  await expect(waitFor('the door', probe, { timeout: 100 })).rejects.toThrow(
    'the door: not within 100 ms; last answer: still closed',
  );
});

test('free ports are all different, and none that a connection going out may be given meanwhile', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  const server = createServer().listen(ports[0], '127.0.0.1');
  await once(server, 'listening');
  const client = connect(ports[0]!, '127.0.0.1');
  await once(client, 'connect');
  expect(Math.max(...ports)).toBeLessThan(client.localPort!);
  client.destroy();
  server.close();
});

describe('a lock', () => {
  test('lets one in at a time', async () => {
    const file = join(folder, 'lock');
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside++;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 3 }, () => withLock(file, () => {}, work)));
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  test('is taken over from a process that died', async () => {
    const file = join(folder, 'lock');
    const dead = spawn('true');
    await once(dead, 'exit');
    await writeFile(file, String(dead.pid));
    const held = await withLock(
      file,
      () => {},
      () => readFile(file, 'utf8'),
    );
    expect(held).toBe(String(process.pid));
  });

  test('is given back when the work fails', async () => {
    const file = join(folder, 'lock');
    await expect(
      withLock(
        file,
        () => {},
        () => Promise.reject(new Error('no')),
      ),
    ).rejects.toThrow('no');
    expect(existsSync(file)).toBe(false);
  });
});
