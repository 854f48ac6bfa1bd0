/** Who imports whom, read from the source: types count, as a reader follows them like everything else. */
import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { root } from '../rig/checks.ts';

export interface Import {
  from: string;
  to: string;
}

/** verbatimModuleSyntax and the formatter leave one form of each: `… from '…';` and `import('…')`. */
const SPECIFIER = /^(?:import|export)\b[^;]*?\bfrom '([^']+)';|^import '([^']+)';|\bimport\('([^']+)'\)/gm;

/** Paths below the root, with slashes. Files of tests, and what only they use, are left out. */
export const productFiles = (): string[] =>
  globSync('{function,provider,package}/**/*.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !/\.(?:test|fixture)\.ts$/.test(file))
    .toSorted();

export const sourceOf = (file: string): string => readFileSync(posix.join(root, file), 'utf8');

/** Imports of files by relative path; `to` is a path below the root, whether or not there is such a file. */
export const localImports = (file: string): Import[] =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => ({ from: file, to: posix.join(dirname(file), specifier) }));

/** Names of the packages that a file imports, those of Node with their prefix. */
export const packagesOf = (file: string): string[] =>
  specifiers(file)
    .filter((specifier) => !specifier.startsWith('.'))
    .map((specifier) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    );

const specifiers = (file: string): string[] =>
  [...sourceOf(file).matchAll(SPECIFIER)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
