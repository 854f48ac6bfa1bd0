import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { root } from '../rig/checks.ts';
import { localImports, packagesOf, productFiles, sourceOf } from './imports.ts';
import { LAYERS, OWNERS, roomOf } from './layers.ts';

const files = productFiles();
const imports = files.flatMap(localImports);

describe('the layers', () => {
  it('have a room for every file, and each import leads to a file', () => {
    expect(files.length).toBeGreaterThan(300);
    expect(imports.length).toBeGreaterThan(files.length);
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([]);
    expect(imports.filter(({ to }) => !existsSync(join(root, to)))).toEqual([]);
  });

  it('stand in order: a room may import only what is below it', () => {
    const order = Object.keys(LAYERS);
    for (const [index, room] of order.entries())
      expect(
        (LAYERS[room] ?? []).filter((other) => !order.slice(0, index).includes(other)),
        room,
      ).toEqual([]);
  });

  it('import each other in no circle, so that every file can be understood from those that it imports', () => {
    const importsOf = Map.groupBy(imports, ({ from }) => from);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      else if (!done.has(file)) {
        for (const { to } of importsOf.get(file) ?? []) visit(to, [...path, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('are those of the architecture page', () => {
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const rooms = Object.keys(LAYERS).filter((room) => room !== 'provider');
    expect(rooms.filter((room) => !page.includes(`\`${room}/\``))).toEqual([]);
  });

  test.each(Object.entries(LAYERS))('%s imports nothing but %j', (room, allowed) => {
    const strays = imports
      .filter(({ from }) => roomOf(from) === room)
      .filter(({ to }) => ![room, ...allowed].includes(roomOf(to) ?? '?'))
      .map(({ from, to }) => `${from} -> ${to}`);
    expect(strays).toEqual([]);
    const used = new Set(imports.filter(({ from }) => roomOf(from) === room).map(({ to }) => roomOf(to)));
    expect(
      allowed.filter((other) => !used.has(other)),
      'may be imported, but is not',
    ).toEqual([]);
  });

  test.each(Object.entries(OWNERS))('only the rooms that speak to it know %s', (name, rooms) => {
    const users = files.filter((file) => packagesOf(file).includes(name));
    expect(users, `nobody uses ${name}`).not.toEqual([]);
    expect(users.filter((file) => !rooms.includes(roomOf(file) ?? '?'))).toEqual([]);
  });
});

describe('dialects', () => {
  /** `engine === 'mysql'`, `case 'mysql':`. The rules of CEL, in which a schema speaks, say `self.engine`. */
  const BRANCH =
    /(?<!self\.)\bengine\s*[!=]==?\s*'|'(?:postgres|mysql|mariadb|cockroachdb)'\s*[!=]==|case '(?:postgres|mysql|mariadb|cockroachdb)'/;
  /** The engines themselves, and what turns manifests of other projects, with engines of their own names, into ours. */
  const MAY_BRANCH = ['provider/engines/', 'provider/cli/convert/'];

  it('differ by implementing Engine or by a row in a table, never by an if elsewhere', () => {
    const branching = files
      .filter((file) => !MAY_BRANCH.some((room) => file.startsWith(room)))
      .filter((file) => BRANCH.test(sourceOf(file)));
    expect(branching).toEqual([]);
  });
});

describe('the function', () => {
  it('asks neither a clock nor chance, but for what serves it', () => {
    const impure =
      /\bDate\.now\(|\bnew Date\(\)|Math\.random|randomUUID|randomBytes|performance\.now|setTimeout|setInterval/;
    const strays = files
      .filter((file) => file.startsWith('function/') && !file.startsWith('function/serve/'))
      .filter((file) => impure.test(sourceOf(file)));
    expect(strays).toEqual([]);
  });
});

describe('engines', () => {
  it('measure how long something takes, or still counts, by a clock that nobody sets', () => {
    const byTheWallClock = /\bDate\.now\(\)/;
    // A moment to come, and how far off it is, are the wall clock's own.
    const moments = /new Date\(Date\.now\(\) \+ |\bvalidUntil\.getTime\(\) - Date\.now\(\)/g;
    const strays = files
      .filter((file) => file.startsWith('provider/engines/'))
      .filter((file) => byTheWallClock.test(sourceOf(file).replaceAll(moments, '')));
    expect(strays).toEqual([]);
  });
});

describe('resources', () => {
  it('are pure: no clock, no chance, no I/O', () => {
    const strays = files
      .filter((file) => file.startsWith('provider/resources/'))
      .filter(
        (file) =>
          /\bDate\.now\(|\bnew Date\(\)|Math\.random|setTimeout/.test(sourceOf(file)) ||
          packagesOf(file).some((name) => name !== 'node:crypto'),
      );
    expect(strays).toEqual([]);
  });
});
