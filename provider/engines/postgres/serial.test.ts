import { describe, expect, test } from 'vitest';
import { Serial } from './serial.ts';

describe('work in turn', () => {
  test('waits for all that came before it with one of its keys, and for nothing else', async () => {
    const serial = new Serial();
    const log: string[] = [];
    const gates = new Map<string, () => void>();
    const start = async (name: string, ...keys: string[]): Promise<void> => {
      await serial.run(keys, async () => {
        log.push(`+${name}`);
        await new Promise<void>((resolve) => gates.set(name, resolve));
        log.push(`-${name}`);
      });
    };
    const all = [start('a', 'x'), start('b', 'x', 'y'), start('c', 'y'), start('d', 'z')];
    const turn = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
    };
    await turn();
    expect(log).toEqual(['+a', '+d']);
    for (const name of ['a', 'b', 'c', 'd']) {
      gates.get(name)?.();
      await turn();
    }
    await Promise.all(all);
    expect(log).toEqual(['+a', '+d', '-a', '+b', '-b', '+c', '-c', '-d']);
  });

  test('goes on after a failure', async () => {
    const serial = new Serial();
    const failure = serial.run(['x'], async () => await Promise.reject(new Error('no')));
    await expect(failure).rejects.toThrow('no');
    expect(await serial.run(['x'], async () => await Promise.resolve(1))).toBe(1);
  });
});
