/** `npm run rig`: the servers of the tests, for use by hand, until Ctrl-C. */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from './binaries.ts';
import { root } from './checks.ts';
import { startCrossplane } from './crossplane.ts';
import { startKubernetes } from './kubernetes.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Undone last first. */
const undo: (() => Promise<unknown>)[] = [];

async function startPostgresFor(folder: string, major: number): Promise<PostgresServer> {
  const server = await startPostgres({ major, tls: true });
  undo.push(() => server.stop());
  await writeFile(join(folder, `postgres-${major}-password`), server.password, { mode: 0o600 });
  await writeFile(join(folder, `postgres-${major}-url`), server.url(), { mode: 0o600 });
  if (server.caFile !== undefined) {
    await copyFile(server.caFile, join(folder, `postgres-${major}-ca.crt`));
    await chmod(join(folder, `postgres-${major}-ca.crt`), 0o644);
  }
  return server;
}

async function start(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-rig-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  say('starting PostgreSQL 15 and 18, Kubernetes and Crossplane …');
  const [oldest, newest, cluster] = await Promise.all([
    startPostgresFor(folder, 15),
    startPostgresFor(folder, 18),
    startKubernetes().then((started) => {
      undo.push(() => started.stop());
      return started;
    }),
  ]);
  const crds = join(root, 'package/provider/crds');
  const known = existsSync(crds);
  if (known) {
    await cluster.apply(crds);
  }
  const crossplane = await startCrossplane(cluster);
  undo.push(() => crossplane.stop());
  const certificates = join(folder, 'function-certificates');
  await crossplane.functionCertificates(certificates);
  await crossplane.registerFunction('function-xdatabase', '127.0.0.1:9443');
  const postgres = (server: PostgresServer): string =>
    `PostgreSQL ${server.version}
  psql "host=${server.host} port=${server.port} user=${server.adminUser} dbname=postgres sslmode=verify-full sslrootcert=${folder}/postgres-${server.major}-ca.crt"
  the password is in ${folder}/postgres-${server.major}-password, a whole URL in ${folder}/postgres-${server.major}-url
  log: ${server.logFile}`;
  return `
${postgres(oldest)}

${postgres(newest)}

Kubernetes with Crossplane core${known ? ' and our CRDs' : ''}
  export KUBECONFIG=${cluster.kubeconfig}
  ${cluster.command} get crds
  ${await binary('crossplane')} --help
  Crossplane's log: ${crossplane.logFile}

Our function, where Crossplane looks for function-xdatabase
  ${process.execPath} ${root}/function/main.ts --address 127.0.0.1:9443 --tls-server-certs-dir ${certificates}

Our provider
  ${process.execPath} ${root}/provider/main.ts --kubeconfig ${cluster.kubeconfig}

Ctrl-C stops everything and deletes its data.`;
}

async function stop(): Promise<void> {
  for (const step of undo.toReversed()) {
    await step().catch((error: unknown) => say(String(error)));
  }
}

// Whoever starts us may pass on a signal that the terminal has sent already.
const signalled = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => resolve());
  }
});

// Nothing else need keep this process alive while it waits.
setInterval(() => {}, 60_000);
let exitCode = 0;
try {
  await Promise.race([signalled, start().then(say)]);
  await signalled;
  say('\nstopping …');
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  exitCode = 1;
}
await stop();
// A signal may have come while something was still starting: that ends with us.
process.exit(exitCode);
