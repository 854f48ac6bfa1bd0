import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript, SHELLS } from './completions.ts';
import { xdb } from './program.ts';

/** What bash offers after these words. */
function offered(...words: string[]): string[] {
  const script = `${completionScript(xdb(), 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _xdb; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
}

test('bash completes commands, then the options of that command', () => {
  expect(offered('xdb', '')).toEqual(xdb().commands.map((command) => command.name()));
  expect(offered('xdb', 'st')).toEqual(['status']);
  expect(offered('xdb', 'plan', '--s')).toEqual(['--server', '--state']);
});

test.each(SHELLS)('%s learns every command and every option', (shell) => {
  const script = completionScript(xdb(), shell);
  for (const command of xdb().commands) {
    expect(script).toContain(command.name());
    for (const { long } of command.options) expect(script).toContain(long?.replace(/^--/, ''));
  }
});

test('every command that prints something of its own can print JSON, and says with which code it ends', () => {
  for (const command of xdb().commands.filter((one) => one.name() !== 'completions'))
    expect(command.options.map(({ long }) => long)).toContain('--json');
});
