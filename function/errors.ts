import type { z } from 'zod';

/**
 * Why the function gave up. It becomes a FATAL result, with which Crossplane changes nothing: neither does it create,
 * nor does it collect what is no longer asked for.
 */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
  readonly reason = 'InvalidClaim';
  /** The field, e.g. `spec.roles[0].username`. */
  readonly path: string;

  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

const SHOWN = 80;

/** The first thing that a schema finds wrong, with the field as a user knows it from YAML, and the value that it has. */
export function refusalOf(root: string, input: unknown, { issues: [issue] }: z.ZodError): ClaimError {
  const path = issue?.path ?? [];
  const message = issue?.message ?? 'is not valid';
  const value = path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined),
    input,
  );
  const field = fieldPath(root, path);
  if (value === undefined) return new ClaimError(field, 'is required');
  if (typeof value === 'object') return new ClaimError(field, message);
  const shown = JSON.stringify(value);
  return new ClaimError(field, `${message}, not ${shown.length > SHOWN ? `${shown.slice(0, SHOWN - 3)}...` : shown}`);
}

function fieldPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    root,
  );
}
