/** Go durations ("1h30m"), as Kubernetes users write them, in milliseconds. */

const UNITS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PART = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)/gy;

/** Throws RangeError for anything that is not a Go duration. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  let total = 0;
  let end = 0;
  for (const match of body.matchAll(PART)) {
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
    end = match.index + match[0].length;
  }
  if (end === 0 || end !== body.length) throw new RangeError(`${JSON.stringify(text)} is not a duration such as 1h30m`);
  return sign * total;
}
