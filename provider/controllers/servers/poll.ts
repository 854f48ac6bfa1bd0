/**
 * When to look again. All resources of one server are looked at in the same moment, so that one statement answers for
 * all of them; different servers are spread over the interval.
 */

/** A stable number in [0, 1) for a text (FNV-1a). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash / 2 ** 32;
}

/** The start of the interval that `now` is in, for that server. */
export function pollStart(server: string, intervalMs: number, now: number): number {
  const offset = fraction(server) * intervalMs;
  return Math.floor((now - offset) / intervalMs) * intervalMs + offset;
}

/** ms until the next look; at least a tenth of the interval away, so that what was just looked at is left alone. */
export function nextPoll(server: string, intervalMs: number, now: number): number {
  const wait = pollStart(server, intervalMs, now) + intervalMs - now;
  return Math.ceil(wait < intervalMs / 10 ? wait + intervalMs : wait);
}
