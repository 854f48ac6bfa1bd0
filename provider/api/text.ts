/** Strings with a format. Each refuses a wrong value with a sentence instead of a regular expression. */
import { z } from 'zod';

/**
 * A string that must match `pattern`, which has to mean the same to RE2 (the API server) and to JavaScript.
 * @param allowed What is allowed, in words; both the API server and `parse` answer with it.
 */
export const matching = (pattern: RegExp, allowed: string, maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((value) => pattern.test(value), allowed)
    .meta({ 'x-kubernetes-validations': [{ rule: `self.matches(${celString(pattern.source)})`, message: allowed }] });

/** A CEL string literal. */
export const celString = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A Go duration without sign, e.g. `1h30m`. */
export const duration = matching(
  /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/,
  'must be a duration of hours, minutes and seconds, e.g. 720h or 1h30m',
  32,
);

/** A moment in UTC or with an offset (RFC 3339). */
export const timestamp = z.iso.datetime({ offset: true });

/** A name of another Kubernetes object. */
export const objectName = (what: string) => z.string().min(1).max(253).describe(what);

/** Five fields of cron, or one of the macros that CronJob knows. */
export const cron = matching(
  /^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){4})$/,
  'must be a cron expression of five fields (minute, hour, day of month, month, day of week), e.g. "30 2 * * *", or @hourly, @daily, @weekly, @monthly, @yearly',
  128,
);

export const timeZone = matching(
  /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/,
  'must be the name of a time zone, e.g. Europe/Amsterdam or Etc/UTC',
  64,
);

/** Privilege as a server names it, e.g. `SELECT` or `REPLICATION CLIENT`. */
export const privilege = matching(
  /^[A-Za-z][A-Za-z_ ]*$/,
  'must be a privilege in the words of the server, e.g. SELECT, ALL or REPLICATION CLIENT',
  64,
);
