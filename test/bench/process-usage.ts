/** What processes have used, as the kernel counts it. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux gives times to programs in this unit on every architecture, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

export interface ProcessUsage {
  /** User and system time of all threads since the start, in seconds. */
  cpuSeconds: number;
  /** Resident memory now, in MB (2^20 bytes). */
  rssMB: number;
  /** The most it ever was. */
  peakRssMB: number;
}

interface Stat {
  /** As the kernel knows it: at most 15 characters. */
  program: string;
  parent: number;
  cpuSeconds: number;
  /** Of children that have ended and been waited for. */
  endedCpuSeconds: number;
}

function statOf(pid: number): Stat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The program's name is in brackets and may itself hold spaces and brackets.
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const seconds = (index: number): number => Number(fields[index]) / TICKS_PER_SECOND;
  return {
    program: stat.slice(stat.indexOf('(') + 1, end),
    parent: Number(fields[1]),
    cpuSeconds: seconds(11) + seconds(12),
    endedCpuSeconds: seconds(13) + seconds(14),
  };
}

/** @throws Error when there is no such process, or no /proc. */
export function processUsage(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number => {
    const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
    return Number(kilobytes) / 1024;
  };
  return { cpuSeconds: statOf(pid).cpuSeconds, rssMB: megabytes('VmRSS'), peakRssMB: megabytes('VmHWM') };
}

/** CPU seconds by program. */
export type CpuByProgram = ReadonlyMap<string, number>;

/** What this process and all that it has started have used: the machine's share of a measurement, part by part. */
export function cpuByProgram(names: ReadonlyMap<number, string>): CpuByProgram {
  const all = new Map<number, Stat>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      all.set(pid, statOf(pid));
    } catch {
      // It ended meanwhile.
    }
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  const used = new Map<string, number>();
  for (const [pid, { program, cpuSeconds, endedCpuSeconds }] of all) {
    if (!isOurs(pid)) continue;
    const name = pid === process.pid ? 'bench' : (names.get(pid) ?? program);
    // What the bench itself has waited for was no part of the measurement.
    const seconds = pid === process.pid ? cpuSeconds : cpuSeconds + endedCpuSeconds;
    used.set(name, (used.get(name) ?? 0) + seconds);
  }
  return used;
}

/** What was used between two readings, the most first. */
export function cpuBetween(before: CpuByProgram, after: CpuByProgram): [program: string, seconds: number][] {
  return [...after]
    .map(([program, seconds]): [string, number] => [program, seconds - (before.get(program) ?? 0)])
    .filter(([, seconds]) => seconds > 0)
    .sort(([, a], [, b]) => b - a);
}
