import { expect, test } from 'vitest';
import { disposable, dispose } from './disposable.ts';

test('memory goes with the last view of it, and not before', () => {
  const whole = disposable(Buffer.allocUnsafeSlow(100));
  const [first, last] = [whole.subarray(0, 60), whole.subarray(60)];
  dispose(first);
  expect(whole.length).toBe(100);
  dispose(last);
  expect(whole.length).toBe(0);
});

test('what nobody marked stays, and so does what buffers share', () => {
  const own = Buffer.allocUnsafeSlow(100);
  dispose(own);
  expect(own.length).toBe(100);
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  dispose(one);
  dispose(other);
  expect([one, other].join(' ')).toBe('one other');
});

test('a short piece that its owner gives away takes nothing of the pool that it lies in', () => {
  let [neighbour, last] = [Buffer.allocUnsafe(8), Buffer.allocUnsafe(8)];
  while (last.byteOffset + last.length < last.buffer.byteLength) [neighbour, last] = [last, Buffer.allocUnsafe(8)];
  expect(last.buffer).toBe(neighbour.buffer);
  dispose(disposable(last));
  expect([last.length, neighbour.length]).toEqual([8, 8]);
});
