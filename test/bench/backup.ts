/** A backup through the runner beside the engine's bare dump tool writing a file: throughput, and the runner's memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { bundle, ENTRIES } from '../../package/build.ts';
import { BACKUP_ENGINES, type BackupEngine, type Place, type RunRequestInput } from '../../provider/backup/contract.ts';
import { RUNNER_PROCESS } from '../../provider/backup/job-spec.ts';
import { tools } from '../../provider/backup/tools/tools.ts';
import { World } from '../backup/world.ts';
import { type S3Server, startS3 } from '../rig/s3.ts';
import { DATABASE, type Subject, SUBJECTS } from './backup-subjects.ts';

interface Measured {
  name: string;
  seconds: number;
  /** Bytes of the dump inside, per second. */
  megabytesPerSecond: number;
  storedMegabytes: number;
  /** Highest resident memory of the runner. */
  runnerMegabytes?: number;
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

async function bare(subject: Subject, world: World): Promise<{ seconds: number; stored: number }> {
  const file = join(world.folder, 'bare.dump');
  const { program, args } = await subject.bare(world, file);
  const begun = performance.now();
  const child = spawn(join(subject.path, program), args, { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} failed (${code})`);
  const seconds = (performance.now() - begun) / 1000;
  const { size } = await stat(file);
  await rm(file);
  return { seconds, stored: size };
}

async function ours(
  { engine, server, path }: Subject,
  world: World,
  { runner, ...over }: { runner: readonly string[]; storage: Place } & Partial<RunRequestInput>,
): Promise<{ seconds: number; stored: number; size: number; memory: number }> {
  const folders = world.folders();
  const begun = performance.now();
  const pod = await world.start(
    {
      action: 'backup',
      owner: { namespace: 'bench', name: 'bench', database: DATABASE, engine },
      run: String(begun),
      serverVersion: server.version,
      tool: { folder: folders.work },
      retention: { keepLast: 1 },
      ...over,
    } as RunRequestInput,
    [{ container: tools[engine].dump(server, folders), path }],
    runner,
  );
  const peak = watchMemory(pod.runner.pid);
  const { result } = await pod.finished;
  const memory = peak();
  if (result.backup === undefined) throw new Error(`the backup failed: ${result.failureMessage}`);
  const { storedSize, size } = result.backup;
  return { seconds: (performance.now() - begun) / 1000, stored: storedSize, size, memory };
}

interface Comparison {
  engine: BackupEngine;
  megabytes: number;
  measured: Measured[];
  /** Throughput of a backup to a folder by that of the bare tool. */
  ratio: number;
}

/** Of the two whose ratio counts. */
const ROUNDS = 3;

const quickest = <T extends { seconds: number }>(runs: readonly T[]): T =>
  runs.reduce((best, run) => (run.seconds < best.seconds ? run : best));

async function compare(
  subject: Subject,
  { world, s3, runner }: { world: World; s3: S3Server; runner: readonly string[] },
): Promise<Comparison> {
  const recipients = [await identityToRecipient(await generateX25519Identity())];
  const common = { runner, storage: world.filesystem(), expectedSize: await subject.size() };
  // The first read of the table warms what the others find warm.
  await bare(subject, world);
  const alone = [];
  const plain = [];
  // In turns, so that what else the machine does meets both.
  for (let round = 0; round < ROUNDS; round += 1) {
    plain.push(await ours(subject, world, common));
    alone.push(await bare(subject, world));
  }
  const [fastest, fastestAlone] = [quickest(plain), quickest(alone)];
  const sealed = await ours(subject, world, { ...common, recipients });
  const storage = await world.s3(s3, await s3.bucket());
  const remote = await ours(subject, world, { ...common, storage });
  // What does not become smaller is all stored: the most that memory can be asked for.
  const whole = await ours(subject, world, { ...common, storage, recipients, compression: 'none' });
  const rate = (seconds: number): number => Math.round(fastest.size / 1e6 / seconds);
  const line = (name: string, { seconds, stored, memory }: Awaited<ReturnType<typeof ours>>): Measured => ({
    name,
    seconds,
    megabytesPerSecond: rate(seconds),
    storedMegabytes: stored / 1e6,
    runnerMegabytes: memory,
  });
  const measured: Measured[] = [
    {
      name: subject.label,
      seconds: fastestAlone.seconds,
      megabytesPerSecond: rate(fastestAlone.seconds),
      storedMegabytes: fastestAlone.stored / 1e6,
    },
    line('zstd, to a folder', fastest),
    line('zstd and age, to a folder', sealed),
    line('zstd, to S3', remote),
    line('age alone, to S3', whole),
  ];
  return {
    engine: subject.engine,
    megabytes: fastest.size / 1e6,
    measured,
    ratio: fastestAlone.seconds / fastest.seconds,
  };
}

function print({ megabytes, measured, ratio }: Comparison): void {
  process.stdout.write(`A dump of ${Math.round(megabytes)} MB:\n`);
  for (const { name, seconds, megabytesPerSecond, storedMegabytes, runnerMegabytes } of measured)
    process.stdout.write(
      `  ${name.padEnd(26)} ${seconds.toFixed(1).padStart(7)} s ${String(megabytesPerSecond).padStart(6)} MB/s, stored ${storedMegabytes.toFixed(0)} MB${runnerMegabytes === undefined ? '' : `, runner at most ${runnerMegabytes.toFixed(0)} MB`}\n`,
    );
  process.stdout.write(`  ${Math.round(ratio * 100)} % of the bare tool's throughput\n`);
}

export async function compareBackups({
  resources: megabytes,
  engines = BACKUP_ENGINES,
  json,
}: {
  resources: number;
  /** Absent: all. */
  engines?: readonly BackupEngine[] | undefined;
  json: boolean;
}): Promise<void> {
  const s3 = await startS3();
  const world = await World.make();
  await mkdir(world.folder, { recursive: true });
  const comparisons: Comparison[] = [];
  try {
    // As its pod has it.
    const runner = [...RUNNER_PROCESS.flags, await bundle('runner', ENTRIES['runner'] ?? '', world.folder)];
    for (const engine of engines) {
      const subject = await SUBJECTS[engine]();
      try {
        await subject.fill(megabytes);
        const comparison = await compare(subject, { world, s3, runner });
        comparisons.push(comparison);
        if (!json) print(comparison);
      } finally {
        await subject.stop();
      }
    }
    if (json) process.stdout.write(`${JSON.stringify(comparisons)}\n`);
  } finally {
    await world.remove();
    await s3.stop();
  }
}
