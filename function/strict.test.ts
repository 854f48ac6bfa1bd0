import { expect, test } from 'vitest';
import { z } from 'zod';
import { strict } from './strict.ts';

const schema = z.object({
  list: z
    .array(z.object({ name: z.string().min(2), kind: z.enum(['a', 'b']).default('a') }))
    .max(1)
    .optional(),
  inner: z.object({ value: z.int() }).prefault({ value: 3 }),
});

test('a field that is not known is refused at every depth, and nothing else changes', () => {
  const checked = strict(schema);
  expect(checked.parse({ list: [{ name: 'xy' }] })).toEqual({ list: [{ name: 'xy', kind: 'a' }], inner: { value: 3 } });
  for (const [wrong, path] of [
    [{ other: 1 }, []],
    [{ list: [{ name: 'xy', nam: 1 }] }, ['list', 0]],
    [{ inner: { value: 1, more: 2 } }, ['inner']],
    [{ list: [{ name: 'x' }] }, ['list', 0, 'name']],
    [{ list: [{ name: 'xy' }, { name: 'xz' }] }, ['list']],
  ] as const) {
    const { error } = checked.safeParse(wrong);
    expect(error?.issues.map((issue) => issue.path)).toEqual([path]);
  }
  expect(schema.safeParse({ inner: { value: 1, more: 2 } }).success).toBe(true);
});
