/** Commands that pages of the documentation show, to be run as somebody pastes them. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './checks.ts';

const run = promisify(execFile);

/**
 * The blocks for a shell below a heading of the second level, up to the next.
 * @throws Error when there are none.
 */
export function shellBlocks(page: string, heading: string): string[] {
  const [, section] = `\n${readFileSync(join(root, page), 'utf8')}`.split(`\n## ${heading}\n`);
  const found = [...(section?.split('\n## ')[0] ?? '').matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  if (found.length === 0) throw new Error(`${page} has no commands below "${heading}"`);
  return found.map(([, block = '']) => block);
}

/**
 * The block with what its reader has to fill in.
 * @throws Error when something that is to be filled in is not there.
 */
export const filledIn = (block: string, values: readonly (readonly [from: string, to: string])[]): string =>
  values.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`there is no ${from} in ${text}`);
    return text.replace(from, () => to);
  }, block);

/** Runs it, and gives what it printed; ends at the first command that fails. */
export async function paste(block: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run('sh', ['-euc', block], { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 24 });
  return stdout;
}
