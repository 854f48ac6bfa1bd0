/** What was rendered once and looked right. `UPDATE_GOLDEN=1 npm test -- --project golden` writes it anew. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

export async function matchesGolden(name: string, text: string): Promise<void> {
  const file = join(import.meta.dirname, 'expected', `${name}.yaml`);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, text);
  }
  expect(text).toBe(await readFile(file, 'utf8'));
}
