import { expect, test } from 'vitest';
import { type Node, nodeOf, parseResource, treeLines } from './status.ts';

const condition = (type: string, status: 'True' | 'False', message?: string) => ({
  type,
  status,
  reason: 'Reason',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  ...(message === undefined ? {} : { message }),
});

test('a tree says of each resource whether it is well, and why not', () => {
  const child = (name: string, ...conditions: object[]): Node =>
    nodeOf({ apiVersion: 'a/v1', kind: 'Role', metadata: { name }, status: { conditions } });
  const root = child('root', condition('Ready', 'False', 'waits'), condition('Synced', 'True'));
  root.children.push(
    { ...child('one', condition('Ready', 'True'), condition('Synced', 'True')), children: [child('inner')] },
    child('two', condition('Ready', 'True'), condition('Synced', 'False', 'permission denied')),
  );
  expect(treeLines(root)).toEqual([
    '… Role root: waits',
    '├─ ✓ Role one',
    '│  └─ … Role inner',
    '└─ ✗ Role two: permission denied',
  ]);
});

test('a kind of a platform is given as kubectl knows it', () => {
  expect(parseResource('teamdatabases.v1.platform.example.org')).toMatchObject({
    plural: 'teamdatabases',
    version: 'v1',
    group: 'platform.example.org',
  });
  expect(() => parseResource('teamdatabases')).toThrow('write plural.version.group');
});
