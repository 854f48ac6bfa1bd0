import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecord, encodeRecord } from './record-text.ts';

const name = fc.constantFrom('a', 'b', 'c', '*');
const entry = fc.record(
  {
    target: fc.record(
      { type: fc.constantFrom('table', 'database'), schema: name, name, columns: fc.array(name, { maxLength: 2 }) },
      { requiredKeys: ['type'] },
    ),
    privileges: fc.array(fc.constantFrom('SELECT', 'INSERT'), { maxLength: 2 }),
    withOption: fc.constant(true),
  },
  { requiredKeys: ['target', 'privileges'] },
);

test('a record says the same when it is read again, and is written the same then', () => {
  fc.assert(
    fc.property(fc.array(entry), (record) => {
      const text = encodeRecord(record);
      const read = decodeRecord(text) as unknown[];
      expect(read).toHaveLength(record.length);
      expect(read).toEqual(expect.arrayContaining(JSON.parse(JSON.stringify(record)) as unknown[]));
      expect(encodeRecord(read)).toBe(text);
    }),
  );
});

test.each([{}, { adopted: true }, null, 7, [], [1, 1, null, 'x'], [{ target: 'x' }], [{ target: { names: 'x' } }]])(
  'what is no list of targets is left as it is (%j)',
  (record) => {
    expect(decodeRecord(JSON.stringify(record))).toEqual(record);
    expect(encodeRecord(record)).toBe(JSON.stringify(record));
  },
);

test('ten thousand tables that are named one by one have room in an annotation', () => {
  const record = Array.from({ length: 10_000 }, (_, i) => ({
    target: { type: 'table', database: 'orders', schema: 'app', name: `customer_orders_${i}` },
    privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  }));
  expect(encodeRecord(record).length).toBeLessThan(256 * 1024);
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});
