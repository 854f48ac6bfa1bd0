/** The documentation is true: links lead somewhere, commands exist, and every reason of a condition is explained. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { INPUT_KIND, parseInput } from '../function/input.ts';
import { parseClaim, withoutMachinery } from '../function/parse-claim.ts';
import { FAILURES } from '../provider/backup/contract.ts';
import { kindByName, kinds } from '../provider/api/registry.ts';
import { parse } from '../provider/api/validate.ts';
import { xdb } from '../provider/cli/program.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT })].toSorted();
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const scripts = Object.keys((JSON.parse(text('package.json')) as { scripts: object }).scripts);

/** As GitHub makes them of headings. */
const anchors = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Blocks of a language, and for shells the indented ones too. */
function blocks(markdown: string, language: string): string[] {
  const fenced = [...markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)];
  return fenced.filter(([, , of]) => of === language).map(([, , , body = '']) => body);
}

const commands = (markdown: string): string[] =>
  [
    ...blocks(markdown, 'sh').flatMap((block) => block.split('\n')),
    ...markdown.split('\n').filter((line) => /^ {4}(npm|xdb|kubectl|node) /.test(line)),
  ].map((line) => line.replace(/ {2,}#.*$/, '').trim());

type Fields = Record<string, unknown>;
interface Manifest extends Fields {
  apiVersion?: string;
  kind?: string;
  spec?: Fields;
  input?: Fields;
}

/**
 * Checks a manifest, or the part of one that a page shows: the spec of a claim, or the input of a Composition's step.
 * @throws Error when it would be refused, or is nothing that is known here.
 */
function takes(manifest: Manifest): void {
  const { apiVersion = '', kind = '', spec, input } = manifest;
  const [group = ''] = apiVersion.split('/');
  const known = kindByName(apiVersion, kind);
  if (known !== undefined) parse(known, manifest);
  else if (input !== undefined || kind === INPUT_KIND) parseInput(input ?? manifest);
  else if (spec !== undefined && (kind === '' || (kind === 'XDatabase' && CLAIMS.includes(group))))
    parseClaim(withoutMachinery(spec, group === 'claim.xdatabase.dev'));
  else throw new Error(`${kind} of ${apiVersion} is not known`);
}

const CLAIMS = ['claim.xdatabase.dev', 'xdatabase.dev'];

describe.each(PAGES)('%s', (page) => {
  const markdown = text(page);

  test('links to what is there', () => {
    const broken = [...markdown.replaceAll(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
        if (!existsSync(file)) return true;
        return anchor !== undefined && !anchors(readFileSync(file, 'utf8')).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test('names files that are there, and commands and options that exist', () => {
    const wrong = commands(markdown).flatMap((line) => {
      const files = [...line.matchAll(/(?<![\w/])(?:examples|package|test)\/[\w./-]+/g)].map(([path]) => path);
      const missing = files.filter((path) => !existsSync(join(ROOT, path))).map((path) => `${path} in ${line}`);
      const npm = /^npm run (\S+)/.exec(line)?.[1];
      if (npm !== undefined && !scripts.includes(npm)) missing.push(line);
      const [, name, rest = ''] = /(?:^|\| )(?:xdb|node dist\/xdb\.js) (\w+)(.*)$/.exec(line) ?? [];
      if (name === undefined) return missing;
      const command = xdb().commands.find((one) => one.name() === name);
      const options = [...rest.matchAll(/(?<= )(--?[a-zA-Z][\w-]*)/g)].map(([option]) => option);
      const unknown = options.filter(
        (option) => !command?.options.some(({ long, short }) => [long, short].includes(option)),
      );
      return [...missing, ...(command === undefined ? [line] : unknown.map((option) => `${option} in ${line}`))];
    });
    expect(wrong).toEqual([]);
  });

  test('names kinds as kubectl does', () => {
    const claims = ['xdatabases.claim.xdatabase.dev', 'xdatabases.xdatabase.dev'];
    const definition = 'compositexdatabases.claim.xdatabase.dev';
    const known = new Set([definition, ...claims, ...kinds.map(({ plural, group }) => `${plural}.${group}`)]);
    const named = [...markdown.matchAll(/\b[a-z]+\.(?:[a-z]+\.)*xdatabase\.dev(?=[/ `\n])(?!\/v)/g)].map(
      ([name]) => name,
    );
    const groups = new Set(kinds.map(({ group }) => group));
    expect(named.filter((name) => !known.has(name) && !groups.has(name) && !/^(claim|fn)\./.test(name))).toEqual([]);
  });

  test('shows manifests that an API server takes', () => {
    for (const block of blocks(markdown, 'yaml'))
      for (const document of parseAllDocuments(block)) {
        expect(document.errors).toEqual([]);
        expect(() => {
          takes(document.toJS() as Manifest);
        }, block).not.toThrow();
      }
  });
});

test('the commands of the README for a cluster are those of the quick start, which are run from end to end', () => {
  const own = commands(text('README.md')).filter((line) => line.startsWith('kubectl '));
  expect(own.length).toBeGreaterThan(2);
  expect(commands(text('docs/quick-start.md'))).toEqual(expect.arrayContaining(own));
});

describe('troubleshooting', () => {
  const rows = [...text('docs/troubleshooting.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, reason = '']) => reason);
  const explained = new Set(rows);
  const sources = globSync('{provider,function}/**/*.ts', { cwd: ROOT }).filter(
    (path) => !/\.test\.ts$|fixture|\/fake-|^provider\/cli\//.test(path),
  );
  const code = sources.map(text).join('\n');
  /** What stands where a reason is said: a word, or an expression that ends in one of several. */
  const expressions = [
    ...code.matchAll(/new (?:Resource|Run)Error\(\s*([^`,]+)/g),
    ...code.matchAll(/\breason(?::| =) ([^,;\n]+)/g),
    ...code.matchAll(/\b(?:unavailable|notSynced|notUpToDate)\(([^,]+)/g),
  ].map(([, expression = '']) => expression);
  const words = expressions.flatMap((expression) => [...expression.matchAll(/(?<!=== )'([A-Z]\w+)'/g)]);
  const thrown = new Set<string>([...FAILURES, ...words.map(([, reason = '']) => reason)]);

  test('explains every reason that a condition can have', () => {
    /** Of calls to the Kubernetes API, of the provider's own watch, and of pods (told in messages): never in a condition. */
    const inner = new Set(['WatchTooShort', 'InvalidClaim', 'Unknown', 'Unschedulable']);
    expect([...thrown].filter((reason) => !explained.has(reason) && !inner.has(reason)).toSorted()).toEqual([]);
  });

  test('explains each in one place', () => {
    expect(rows.filter((reason, index) => rows.indexOf(reason) !== index)).toEqual([]);
  });

  test('explains none that there is not', () => {
    expect([...explained].filter((reason) => !code.includes(`'${reason}'`))).toEqual([]);
  });
});
