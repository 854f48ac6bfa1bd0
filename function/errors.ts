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

/** What zod found, as a field path that a user knows from YAML. */
export function fieldPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    root,
  );
}
