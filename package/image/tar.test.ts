import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { type Entry, tar } from './tar.ts';

const entries: Entry[] = [
  { path: 'b/c/file', type: 'file', content: Buffer.from('text'), mode: 0o755 },
  { path: `long/${'x'.repeat(90)}/${'y'.repeat(60)}`, type: 'file', content: Buffer.alloc(1000, 1) },
  { path: 'a', type: 'link', target: 'b/c/file' },
  { path: 'tmp', type: 'folder', mode: 0o1777 },
];

test('tar itself reads what was written, with the folders above', () => {
  const listed = execFileSync('tar', ['-tvf', '-'], { input: tar(entries), encoding: 'utf8' });
  const lines = listed
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  expect(lines.map(([mode, , size, , , ...name]) => [mode, size, name.join(' ').slice(0, 20)])).toEqual([
    ['lrwxrwxrwx', '0', 'a -> b/c/file'],
    ['drwxr-xr-x', '0', 'b/'],
    ['drwxr-xr-x', '0', 'b/c/'],
    ['-rwxr-xr-x', '4', 'b/c/file'],
    ['drwxr-xr-x', '0', 'long/'],
    ['drwxr-xr-x', '0', expect.stringMatching(/^long\/x+/)],
    ['-rw-r--r--', '1000', expect.stringMatching(/^long\/x+/)],
    ['drwxrwxrwt', '0', 'tmp/'],
  ]);
  expect(execFileSync('tar', ['-xOf', '-', 'b/c/file'], { input: tar(entries), encoding: 'utf8' })).toBe('text');
});

test('the same entries give the same bytes, in whatever order', () => {
  expect(tar(entries.toReversed())).toEqual(tar(entries));
});
