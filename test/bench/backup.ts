/** A backup through the runner beside the bare dump tool writing a file: throughput, and the runner's memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { bundle, ENTRIES } from '../../package/build.ts';
import type { Place, RunRequestInput } from '../../provider/backup/contract.ts';
import { RUNNER_PROCESS } from '../../provider/backup/job-spec.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import { toolServer } from '../backup/postgres-world.ts';
import { World } from '../backup/world.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { startS3 } from '../rig/s3.ts';
import { toolPath } from '../rig/tool-path.ts';

const DATABASE = 'bench';
const ROW_BYTES = 1000;

interface Measured {
  name: string;
  seconds: number;
  /** Bytes of the dump inside, per second. */
  megabytesPerSecond: number;
  storedMegabytes: number;
  /** Highest resident memory of the runner. */
  runnerMegabytes?: number;
}

async function fill(server: PostgresServer, megabytes: number): Promise<void> {
  await server.query(`create database ${DATABASE}`);
  await server.query('create unlogged table t (id bigint, a text, b text, c timestamptz)', [], DATABASE);
  const rows = Math.ceil((megabytes * 1e6) / ROW_BYTES);
  // About as compressible as the tables of a business: words that repeat, and keys that do not.
  await server.query(
    `insert into t select n, repeat(md5((n % 1000)::text) || ' order line ', 18), md5(n::text) || md5((n + 1)::text), now()
       from generate_series(1, ${rows}) n`,
    [],
    DATABASE,
  );
}

/** Peak of a process, read until it ends. */
function watchMemory(pid: number | undefined): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      peak = Math.max(peak, Number(kilobytes ?? 0) / 1000);
    } catch {
      // It has ended.
    }
  }, 50);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

async function bare(server: PostgresServer, world: World, path: string): Promise<{ seconds: number; stored: number }> {
  const file = join(world.folder, 'bare.dump');
  const begun = performance.now();
  const child = spawn(join(path, 'pg_dump'), ['--format=custom', '--file', file, '--dbname', server.url(DATABASE)], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`pg_dump failed (${code})`);
  const seconds = (performance.now() - begun) / 1000;
  const { size } = await stat(file);
  await rm(file);
  return { seconds, stored: size };
}

async function ours(
  server: PostgresServer,
  world: World,
  { path, runner, ...over }: { path: string; runner: readonly string[]; storage: Place } & Partial<RunRequestInput>,
): Promise<{ seconds: number; stored: number; size: number; memory: number }> {
  const folders = world.folders();
  const begun = performance.now();
  const pod = await world.start(
    {
      action: 'backup',
      owner: { namespace: 'bench', name: 'bench', database: DATABASE, engine: 'postgres' },
      run: String(begun),
      serverVersion: server.version,
      tool: { folder: folders.work },
      retention: { keepLast: 1 },
      ...over,
    } as RunRequestInput,
    [{ container: postgresTools.dump(toolServer(server, DATABASE), folders), path }],
    runner,
  );
  const peak = watchMemory(pod.runner.pid);
  const { result } = await pod.finished;
  const memory = peak();
  if (result.backup === undefined) throw new Error(`the backup failed: ${result.failureMessage}`);
  const { storedSize, size } = result.backup;
  return { seconds: (performance.now() - begun) / 1000, stored: storedSize, size, memory };
}

export async function compareBackups({
  resources: megabytes,
  json,
}: {
  resources: number;
  json: boolean;
}): Promise<void> {
  const path = await toolPath('postgresql-18');
  const server = await startPostgres({ major: 18 });
  const s3 = await startS3();
  const world = await World.make();
  await mkdir(world.folder, { recursive: true });
  try {
    await fill(server, megabytes);
    // As its pod has it.
    const runner = [...RUNNER_PROCESS.flags, await bundle('runner', ENTRIES['runner'] ?? '', world.folder)];
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    const [expected] = await server.query<{ bytes: string }>(`select pg_database_size('${DATABASE}') as bytes`);
    const common = { path, runner, storage: world.filesystem(), expectedSize: Number(expected?.bytes ?? 0) };
    // The first read of the table warms what the others find warm.
    await bare(server, world, path);
    const plain = await ours(server, world, common);
    const sealed = await ours(server, world, { ...common, recipients });
    const storage = await world.s3(s3, await s3.bucket());
    const remote = await ours(server, world, { ...common, storage });
    // What does not become smaller is all stored: the most that memory can be asked for.
    const whole = await ours(server, world, { ...common, storage, recipients, compression: 'none' });
    const alone = await bare(server, world, path);
    const rate = (seconds: number): number => Math.round(plain.size / 1e6 / seconds);
    const line = (name: string, { seconds, stored, memory }: Awaited<ReturnType<typeof ours>>): Measured => ({
      name,
      seconds,
      megabytesPerSecond: rate(seconds),
      storedMegabytes: stored / 1e6,
      runnerMegabytes: memory,
    });
    const measured: Measured[] = [
      {
        name: 'pg_dump -Fc --file',
        seconds: alone.seconds,
        megabytesPerSecond: rate(alone.seconds),
        storedMegabytes: alone.stored / 1e6,
      },
      line('zstd, to a folder', plain),
      line('zstd and age, to a folder', sealed),
      line('zstd, to S3', remote),
      line('age alone, to S3', whole),
    ];
    const ratio = alone.seconds / plain.seconds;
    if (json) {
      process.stdout.write(`${JSON.stringify({ megabytes: plain.size / 1e6, measured, ratio })}\n`);
      return;
    }
    process.stdout.write(`A dump of ${Math.round(plain.size / 1e6)} MB:\n`);
    for (const { name, seconds, megabytesPerSecond, storedMegabytes, runnerMegabytes } of measured)
      process.stdout.write(
        `  ${name.padEnd(26)} ${seconds.toFixed(1).padStart(7)} s ${String(megabytesPerSecond).padStart(6)} MB/s, stored ${storedMegabytes.toFixed(0)} MB${runnerMegabytes === undefined ? '' : `, runner at most ${runnerMegabytes.toFixed(0)} MB`}\n`,
      );
    process.stdout.write(`  ${Math.round(ratio * 100)} % of the bare tool's throughput\n`);
  } finally {
    await world.remove();
    await s3.stop();
    await server.stop();
  }
}
