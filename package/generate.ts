/**
 * Writes what is made from the kinds: CRDs in package/provider/crds and reference pages in docs/kinds.
 * A test compares the files with the kinds, so that a change of a kind is seen in the same commit.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { toCrd } from '../provider/api/crd.ts';
import { kinds } from '../provider/api/registry.ts';
import { fileName, index, page } from './reference.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CRDS = 'package/provider/crds';
const PAGES = 'docs/kinds';

/** Every generated file by its path from the root of the repository. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const kind of kinds) {
    files.set(
      join(CRDS, `${kind.group}_${kind.plural}.yaml`),
      stringify(toCrd(kind), { lineWidth: 0, aliasDuplicateObjects: false }),
    );
    const example = join(ROOT, 'examples/kinds', fileName(kind, 'yaml'));
    files.set(join(PAGES, fileName(kind)), page(kind, readFileSync(example, 'utf8')));
  }
  return files.set(join(PAGES, 'README.md'), index(kinds));
}

/** Files in the generated folders that no kind stands for any more. */
export function leftovers(): string[] {
  const known = generatedFiles();
  return [CRDS, PAGES]
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name)))
    .filter((path) => !known.has(path));
}

function main(): void {
  for (const [path, text] of generatedFiles()) {
    const file = join(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  for (const path of leftovers()) rmSync(join(ROOT, path));
  const configuration = join(import.meta.dirname, 'generate-configuration.ts');
  if (existsSync(configuration)) {
    const { status } = spawnSync(process.execPath, [configuration], { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) throw new Error(`${relative(ROOT, configuration)} failed`);
  }
}

if (import.meta.main) main();
