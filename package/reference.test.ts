import { expect, test } from 'vitest';
import { kinds } from '../provider/api/registry.ts';
import { fileName, index, page } from './reference.ts';

test.each(kinds.map((kind) => [kind.kind, kind] as const))(
  'every table of the page of %s has its five columns',
  (_, kind) => {
    const rows = page(kind, '')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(0);
    // A bar in a cell is escaped, so only those between cells are left.
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|'), row).toHaveLength(7);
  },
);

test('the index links to the page of every kind', () => {
  const text = index(kinds);
  for (const kind of kinds) expect(text).toContain(`[${kind.kind}](${fileName(kind)})`);
});

test('files are named after their kind', () => {
  expect(kinds.map((kind) => fileName(kind, 'yaml'))).toContain('cluster-provider-config.yaml');
});
