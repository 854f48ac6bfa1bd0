import type { Progress } from '../runner/progress.ts';

const WIDTH = 24;
/** How often the line changes. */
const EVERY_MS = 100;

const amount = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * What is shown of a run that is under way: a bar where the end is known, the amount, and the rate since its phase began.
 * @returns A function that gives the line, or undefined when it is too soon for a new one.
 */
export function progressLine(): (progress: Progress, now: number) => string | undefined {
  let phase: Progress['phase'] | undefined;
  let begun = 0;
  let said = 0;
  return ({ phase: current, bytes, total }, now) => {
    if (current === phase && now - said < EVERY_MS) return undefined;
    if (current !== phase) begun = now;
    phase = current;
    said = now;
    if (bytes === 0) return current;
    const seconds = (now - begun) / 1000;
    const rate = seconds > 0 ? `, ${amount(bytes / seconds)}/s` : '';
    if (total === undefined || total === 0) return `${current}: ${amount(bytes)}${rate}`;
    const full = Math.floor((Math.min(bytes, total) / total) * WIDTH);
    const percent = Math.floor((100 * Math.min(bytes, total)) / total);
    return `${current} [${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}] ${percent} % of ${amount(total)}${rate}`;
  };
}
