/**
 * What went wrong in a call to the API server, taken once from its `Status` answer.
 *
 * A validation message may quote the object it refuses. For Secrets such messages are replaced by the names of the
 * fields, so that an error may be logged or written to a condition wherever it ends up.
 */

/** The parts of a Kubernetes `Status` that are used. */
interface StatusBody {
  kind?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: {
    name?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { field?: string; reason?: string }[];
  };
}

export interface KubeErrorFields {
  status: number;
  reason: string;
  message: string;
  retryAfterSeconds?: number | undefined;
}

/** A call to the API server that failed. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /**
   * Kubernetes' reason (`NotFound`, `Conflict`, `Expired`, …), or `Unreachable`, `Timeout`,
   * `NoCredentials`, `InvalidResponse`.
   */
  readonly reason: string;
  /** How long the server asks to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor(fields: KubeErrorFields) {
    super(fields.message);
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

export const isKubeError = (error: unknown): error is KubeError => error instanceof KubeError;
export const isNotFound = (error: unknown): boolean => isKubeError(error) && error.status === 404;
/** The object was changed meanwhile; false for a create that met an existing object. */
export const isConflict = (error: unknown): boolean =>
  isKubeError(error) && error.status === 409 && error.reason !== 'AlreadyExists';
export const isAlreadyExists = (error: unknown): boolean => isKubeError(error) && error.reason === 'AlreadyExists';
/** The resourceVersion or continue token is older than the server's history. */
export const isExpired = (error: unknown): boolean =>
  isKubeError(error) && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');

/**
 * Whether a rule is missing in a role of ours, which the message names. Forbidden is also the answer of a namespace that is
 * going away, which no rule would change.
 */
export const isMissingRight = (error: unknown): error is KubeError =>
  isKubeError(error) && error.status === 403 && error.message.includes('cannot');

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Statuses whose message names the object and never its content. */
const NAMES_ONLY = new Set([401, 403, 404, 405, 406, 409, 410, 415, 429, 503]);

export interface ErrorContext {
  /** What was tried, without values, e.g. `patch roles app/reader`. */
  call: string;
  /** The resource's content is secret. */
  confidential: boolean;
  retryAfterHeader?: string | undefined;
}

/** The error for an answer with an error status; `body` is its text. */
export function errorFromAnswer(status: number, body: string, context: ErrorContext): KubeError {
  return errorFromStatus(status, parseStatus(body), context);
}

/** The error for a `Status` object, as an answer or as the `object` of a watch's ERROR event. */
export function errorFromStatus(httpStatus: number, parsed: unknown, context: ErrorContext): KubeError {
  const body = isStatus(parsed) ? parsed : undefined;
  const status = body?.code ?? httpStatus;
  const reason = body?.reason || (REASONS[status] ?? 'Unknown');
  const fields = [...new Set((body?.details?.causes ?? []).flatMap((cause) => cause.field ?? []))];
  const safe = body?.message !== undefined && (!context.confidential || NAMES_ONLY.has(status));
  const message = safe
    ? body.message
    : `${reason} (HTTP ${status})${fields.length > 0 ? `, fields ${fields.join(', ')}` : ''}`;
  return new KubeError({
    status,
    reason,
    message: `${context.call}: ${message}`,
    retryAfterSeconds: body?.details?.retryAfterSeconds || retryAfter(context.retryAfterHeader),
  });
}

/** The error for a call that got no usable answer. The cause is named by its code only. */
export function errorFromTransport(error: unknown, call: string): KubeError {
  const code = codeOf(error);
  const timedOut = code !== undefined && /TIMEDOUT|_TIMEOUT$/.test(code);
  return new KubeError({
    status: 0,
    reason: timedOut ? 'Timeout' : 'Unreachable',
    message: `${call}: no answer from the API server (${code ?? (error instanceof Error ? error.name : 'unknown error')})`,
  });
}

export function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if ('code' in at && typeof at.code === 'string') return at.code;
  return undefined;
}

function parseStatus(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

const isStatus = (value: unknown): value is StatusBody =>
  typeof value === 'object' && value !== null && (value as StatusBody).kind === 'Status';

function retryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}
