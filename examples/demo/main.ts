/**
 * npm run demo: starts a server of its own, expands a claim through the real function over gRPC, shows the plan as SQL,
 * applies it, logs in as each role and proves what it may and may not do.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NotAvailableError } from '../../test/rig/binaries.ts';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { readManifests } from '../../provider/local/manifests.ts';
import { parseServerUrl } from '../../provider/local/server-url.ts';
import { LocalStore } from '../../provider/local/store.ts';
import { type ResourceResult, Workspace } from '../../provider/local/workspace.ts';
import { type BackupProof, proveBackup } from './backup.ts';
import { type DemoServer, demoServers } from './servers.ts';
import { startLocalFunction } from '../../provider/cli/local-function.ts';
import { type Output, planLines, resultRows, table, terminal } from '../../provider/cli/output.ts';
import { type Proof, proofs } from './proofs.ts';

const HELP = `Usage: npm run demo [-- --json] [-- --file FILE] [-- --engine ENGINE]

  --file FILE   a claim, composite or managed resources (default: the engine's own of examples/)
  --engine E    postgres (the default), mysql, mariadb, or cockroachdb, which is simulated: there is no server that may
                be used freely
  --json        print one JSON document instead of text
`;

const root = join(import.meta.dirname, '../..');

/** MySQL and MariaDB share an example, as the engine's name is all that differs. */
const forEngine = (objects: KubeObject[], engine: string): KubeObject[] =>
  objects.map((object) => {
    const { spec } = object as { spec?: { engine?: string } };
    return spec?.engine === undefined ? object : { ...object, spec: { ...spec, engine } };
  });

async function demo(
  engine: string,
  start: () => Promise<DemoServer>,
  given: string | undefined,
  output: Output,
  json: boolean,
): Promise<boolean> {
  output.progress('starting a server');
  const server = await start();
  const file = given ?? join(root, 'examples', server.example);
  const fn = await startLocalFunction();
  const store = new LocalStore();
  const workspace = new Workspace(parseServerUrl(server.serverUrl, {}), store);
  try {
    const info = await workspace.engine.info();
    const product = server.note === undefined ? info.product : `${info.product} (${server.note})`;
    output.line(`Server: ${product} on ${server.host}:${server.port}, started for this demo`);
    const resources = await workspace.load(forEngine(readManifests([file]), engine), fn.address);
    output.line(`Claim: ${file.replace(`${root}/`, '')} gives ${resources.length} managed resources\n\nPlan:\n`);
    const plans = await workspace.plan(resources);
    for (const line of planLines(plans)) output.line(line);
    const results = await workspace.apply(resources, (done, total) => {
      output.progress(`applying: ${done} of ${total} resources are ready`);
    });
    output.line('\nApplied:\n');
    for (const line of table(resultRows(results))) output.line(line);
    const again = (await workspace.plan(resources)).flatMap((plan) => plan.statements).length;
    output.line(`\nA second plan has ${again} statements.\n`);
    const proven = await proofs(server, store, resources);
    for (const proof of proven)
      output.line(
        `${proof.ok ? '✓' : '✗'} ${proof.role} ${proof.allowed ? 'may' : 'may not'} ${proof.what}${proof.ok ? '' : `: ${proof.detail}`}`,
      );
    const saved = await provenBackup(server, resources, output);
    const connections = connectionsOf(store, resources);
    output.line('\nConnection strings (the passwords are in the connection Secrets):');
    for (const { role, uri } of connections) output.line(`  ${role}: ${uri}`);
    const ok =
      results.every((r) => r.ready && r.synced) &&
      proven.every((p) => p.ok) &&
      again === 0 &&
      (saved === undefined || saved.backup.rows === saved.restore.rows);
    output.line(`\n${ok ? 'Everything is ready.' : 'Something is not as it should be, see above.'}`);
    if (json) output.json({ ...document(product, plans, results, proven, connections, again, ok), ...saved });
    return ok;
  } finally {
    await Promise.allSettled([workspace.close(), fn.stop()]);
    await server.stop();
  }
}

/** Shows a backup and its restore, where the tools for it can be had. */
async function provenBackup(
  server: DemoServer,
  resources: readonly Managed[],
  output: Output,
): Promise<BackupProof | undefined> {
  try {
    const saved = await proveBackup(server, resources, output);
    if (saved === undefined) return undefined;
    const { backup, restore } = saved;
    output.line(
      `\n${backup.rows === restore.rows ? '✓' : '✗'} a backup of ${backup.rows} rows (${backup.bytes} bytes, SHA-256 ${backup.sha256.slice(0, 12)}…) is restored as ${restore.database}: ${restore.rows} rows`,
    );
    return saved;
  } catch (error) {
    if (!(error instanceof NotAvailableError)) throw error;
    output.line(`\nNo backup is shown: ${error.message}`);
    return undefined;
  }
}

interface Connection {
  role: string;
  uri: string;
}

/** Connection strings with the password hidden. */
function connectionsOf(store: LocalStore, resources: readonly Managed[]): Connection[] {
  return resources
    .filter((resource) => resource.kind === 'Role' && resource.spec.writeConnectionSecretToRef !== undefined)
    .map((resource) => {
      const { username = '', uri = '' } = store.connectionValues(resource);
      return { role: username, uri: uri.replace(/:[^:@/]*@/, ':***@') };
    });
}

const document = (
  server: string,
  plans: Awaited<ReturnType<Workspace['plan']>>,
  results: ResourceResult[],
  proven: Proof[],
  connections: Connection[],
  again: number,
  ok: boolean,
) => ({
  ok,
  server,
  plan: plans.flatMap((plan) => plan.statements),
  resources: results.map((r) => ({
    kind: r.resource.kind,
    name: r.resource.metadata.name,
    externalName: r.resource.metadata.annotations?.['crossplane.io/external-name'],
    ready: r.ready,
    synced: r.synced,
    message: r.message,
  })),
  secondPlanStatements: again,
  proofs: proven,
  connections,
});

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    file: { type: 'string' },
    engine: { type: 'string', default: 'postgres' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const start = demoServers[values.engine];
if (values.help) process.stdout.write(HELP);
else if (start === undefined) {
  const known = Object.keys(demoServers).join(' or ');
  process.stderr.write(`demo: engine ${JSON.stringify(values.engine)} is not in this release; use ${known}\n`);
  process.exitCode = 2;
} else {
  const output = terminal(process.stdout, process.stderr, values.json);
  try {
    const ok = await demo(values.engine, start, values.file, output, values.json);
    process.exitCode = ok ? 0 : 1;
  } catch (error) {
    if (!(error instanceof NotAvailableError)) throw error;
    process.stderr.write(`demo: ${values.engine} cannot be had on this machine: ${error.message}\n`);
    process.exitCode = 2;
  }
}
