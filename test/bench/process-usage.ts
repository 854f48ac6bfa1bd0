/** What a process has used, as the kernel counts it. Linux only. */
import { readFileSync } from 'node:fs';

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

/** @throws Error when there is no such process, or no /proc. */
export function processUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The program's name is in brackets and may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number => {
    const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
    return Number(kilobytes) / 1024;
  };
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMB: megabytes('VmRSS'),
    peakRssMB: megabytes('VmHWM'),
  };
}
