/**
 * Why the function gave up. It becomes a FATAL result, with which Crossplane changes nothing: neither does it create,
 * nor does it collect what is no longer asked for.
 */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
  readonly reason = 'InvalidClaim';
  /** The field, e.g. `spec.roles[0].username`. */
  readonly path: string;
  /** What is wrong with it. */
  readonly detail: string;

  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
    this.detail = message;
  }
}
