/** Who manages an object, as a comment that people read and that is read back: text of a person before it survives. */
import type { Mark } from '../../resources/model/objects.ts';

const FORM = /(?:^|\n)managed by xdatabase: (\S+) \(([^()\s]+)\)$/;

/** The comment of an object that had `existing` as its comment. */
export function withMark(mark: Mark, existing?: string | null): string {
  const own = (existing ?? '').replace(FORM, '');
  const line = `managed by xdatabase: ${mark.resource} (${mark.uid})`;
  return own === '' ? line : `${own}\n${line}`;
}

export function readMark(comment: string | null | undefined): Mark | undefined {
  const match = FORM.exec(comment ?? '');
  return match === null ? undefined : { resource: match[1] ?? '', uid: match[2] ?? '' };
}
