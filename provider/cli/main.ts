#!/usr/bin/env node
/** xdb: plan and apply claims and managed resources on a server, without a cluster. */
import { EXIT, xdb } from './program.ts';

const program = xdb();
for (const command of [program, ...program.commands])
  command.exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.done : 2);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`xdb: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT.failed;
}
// Sessions that are still saying goodbye must not keep the shell waiting.
process.stdout.write('', () => {
  process.exit();
});
