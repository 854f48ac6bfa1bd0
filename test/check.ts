/** `npm run check`: everything that can be said about the source without running it. */
import { format, lint, runChecks, types, unused } from './rig/checks.ts';

const failed = await runChecks([types, lint, format, unused]);
process.stdout.write(failed.length === 0 ? 'all checks passed\n' : `failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
