/** What a claim may ask for at most. */
import { parseDuration } from '../provider/common/duration.ts';
import type { ClaimSpec } from './claim.ts';
import { shortestInterval } from './cron-interval.ts';
import { ClaimError } from './errors.ts';
import type { Ceilings } from './input.ts';

/** @throws ClaimError naming the field that goes beyond what the platform allows. */
export function checkCeilings(spec: ClaimSpec, ceilings: Ceilings): void {
  for (const [field, most] of [
    ['roles', ceilings.maxRoles],
    ['schemas', ceilings.maxSchemas],
  ] as const) {
    const count = spec[field]?.length ?? 0;
    if (most !== undefined && count > most)
      throw new ClaimError(`spec.${field}`, `there are ${count}; allowed: at most ${most}`);
  }
  checkExtensions(spec, ceilings.allowedExtensions);
  checkPrivileges(spec, ceilings.allowedPrivileges);
  checkBackup(spec, ceilings);
  checkExpiry(spec, ceilings.maxExpiresAfter);
}

const listed = (allowed: readonly string[]): string => (allowed.length === 0 ? 'none' : allowed.join(', '));

function checkExtensions({ extensions = [] }: ClaimSpec, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return;
  for (const [index, { name }] of extensions.entries())
    if (!allowed.includes(name))
      throw new ClaimError(
        `spec.extensions[${index}].name`,
        `${JSON.stringify(name)} is not allowed; allowed: ${listed(allowed)}`,
      );
}

function checkPrivileges({ roles = [] }: ClaimSpec, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return;
  const known = new Set(allowed.map((privilege) => privilege.toUpperCase()));
  for (const [r, { grants = [] }] of roles.entries())
    for (const [g, { privileges }] of grants.entries())
      for (const [p, privilege] of privileges.entries())
        if (!known.has(privilege.toUpperCase()))
          throw new ClaimError(
            `spec.roles[${r}].grants[${g}].privileges[${p}]`,
            `${privilege} is not allowed; allowed: ${listed(allowed)}`,
          );
}

function checkBackup({ backup }: ClaimSpec, { requireBackup, minBackupInterval }: Ceilings): void {
  if (requireBackup === true && backup === undefined)
    throw new ClaimError('spec.backup', 'is required by the platform');
  if (requireBackup === true && backup?.suspend === true)
    throw new ClaimError('spec.backup.suspend', 'is not allowed: the platform requires backups');
  if (backup === undefined) return;
  const { schedule } = backup;
  if (schedule === undefined)
    throw new ClaimError('spec.backup.schedule', 'is required: the platform has no default for it');
  if (minBackupInterval === undefined) return;
  if (shortestInterval('spec.backup.schedule', schedule) < parseDuration(minBackupInterval))
    throw new ClaimError(
      'spec.backup.schedule',
      `${JSON.stringify(schedule)} is too often; allowed: at most every ${minBackupInterval}`,
    );
}

function checkExpiry({ expiresAfter }: ClaimSpec, most: string | undefined): void {
  if (most === undefined) return;
  if (expiresAfter === undefined)
    throw new ClaimError('spec.expiresAfter', `is required by the platform; allowed: at most ${most}`);
  if (parseDuration(expiresAfter) > parseDuration(most))
    throw new ClaimError('spec.expiresAfter', `${expiresAfter} is not allowed; allowed: at most ${most}`);
}
