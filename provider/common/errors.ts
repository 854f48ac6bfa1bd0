/**
 * Errors that a user reads in a condition. The reason is one stable word that troubleshooting docs are keyed by;
 * the message says what was tried, why it failed and the remedy, and never holds a value of a Secret.
 */
export class ResourceError extends Error {
  override readonly name = 'ResourceError';
  readonly reason: string;
  /** Whether trying again without an edit can succeed; false slows the retry down to the poll interval. */
  readonly retryable: boolean;
  /** The server's code (SQLSTATE or errno), when a server refused. */
  readonly code: string | undefined;

  constructor(reason: string, message: string, options: { retryable?: boolean; code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryable = options.retryable ?? true;
    this.code = options.code;
  }
}

/** A value in the spec that cannot be honoured; an edit is needed. */
export const invalidSpec = (message: string): ResourceError =>
  new ResourceError('InvalidSpec', message, { retryable: false });

/** Something this resource needs is not there yet; it will be looked for again. */
export const waiting = (message: string): ResourceError => new ResourceError('Waiting', message);

const OPEN = Symbol('the outcome is not known');

/** For a creation that broke off: the object may be there all the same, without a mark of ours. */
export const withOpenOutcome = <E>(error: E): E =>
  typeof error === 'object' && error !== null ? Object.assign(error, { [OPEN]: true }) : error;

export const hasOpenOutcome = (error: unknown): boolean => typeof error === 'object' && error !== null && OPEN in error;
