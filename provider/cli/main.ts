#!/usr/bin/env node
/** xdb: plan and apply claims and managed resources on a server, without a cluster. */
import { ServerUrlError } from '../local/server-url.ts';
import { EXIT, xdb } from './program.ts';
import { inWordsOfTheCommandLine } from './remedies.ts';

const program = xdb();
for (const command of [program, ...program.commands])
  command.exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`xdb: ${inWordsOfTheCommandLine(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = error instanceof ServerUrlError ? EXIT.usage : EXIT.failed;
}
// Sessions that are still saying goodbye must not keep the shell waiting.
process.stdout.write('', () => {
  process.exit();
});
