/** Whether a CronJob is as it should be: made from the same description, and not edited since by somebody else. */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../../api/kind.ts';
import { timestamp } from '../../common/timestamp.ts';

const FINGERPRINT = 'xdatabase.dev/fingerprint';
/** Since when it is due at the times that it says: a run of before, by another expression or suspended, was not missed. */
const TIMED_SINCE = 'xdatabase.dev/timed-since';
const TIMING = ['schedule', 'timeZone', 'suspend'] as const;

/** The object with an annotation that changes with everything in it. */
export function fingerprint(object: KubeObject): KubeObject {
  const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 16);
  const annotations = { ...object.metadata.annotations, [FINGERPRINT]: digest };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The object with the time since when it has been due as it says; `there` is the one that it replaces. */
export function timed(object: KubeObject, there: KubeObject | undefined, now: Date): KubeObject {
  const [old, wanted] = [there?.['spec'], object['spec']] as [
    Record<string, unknown> | undefined,
    Record<string, unknown>,
  ];
  const isSame = there !== undefined && TIMING.every((field) => covers(old?.[field], wanted[field]));
  const since = isSame ? timedSince(there) : timestamp(now);
  const annotations = { ...object.metadata.annotations, [TIMED_SINCE]: since };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

export const timedSince = ({ metadata }: KubeObject): string =>
  metadata.annotations?.[TIMED_SINCE] ?? metadata.creationTimestamp ?? '';

export const isAsWanted = (there: KubeObject, wanted: KubeObject): boolean =>
  there.metadata.annotations?.[FINGERPRINT] === wanted.metadata.annotations?.[FINGERPRINT] &&
  covers(there['spec'], wanted['spec']);

/** Whether everything that is wanted is there; defaults and what others added do not matter. */
function covers(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(there) &&
      there.length === wanted.length &&
      wanted.every((item, index) => covers(there[index], item))
    );
  if (typeof wanted === 'object' && wanted !== null)
    return Object.entries(wanted).every(
      // The API server writes quantities in a form of its own, and an edit of them by hand harms nobody.
      ([field, value]) =>
        field === 'resources' || covers((there as Record<string, unknown> | undefined)?.[field], value),
    );
  // Empty and absent are the same on the wire.
  return there === wanted || ((wanted === '' || wanted === false) && there === undefined);
}
