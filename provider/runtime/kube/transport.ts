/**
 * One HTTP exchange with the API server: login, connection, deadline, errors. Knows JSON, knows no resources.
 *
 * Calls that the server turned away unprocessed (429) and calls that never reached it are tried again here; everything
 * else is the caller's business, because only the caller knows what a second attempt would do.
 */
import type { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { sleep } from '../clock.ts';
import { scrub } from '../log.ts';
import type { Access, PooledKubeConfig, Use } from './config.ts';
import { codeOf, type ErrorContext, errorFromAnswer, errorFromTransport, KubeError } from './errors.ts';

export interface Exchange {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | undefined>;
  accept?: string;
  contentType?: string;
  /** Sent as JSON. */
  body?: unknown;
  /** What is tried, for messages. */
  call: string;
  confidential: boolean;
  signal?: AbortSignal | undefined;
  /** ms until the whole answer must be there. */
  timeoutMs: number;
}

/** How often a call that was not processed is tried again, and the longest wait before that. */
const ATTEMPTS = 4;
const LONGEST_WAIT_S = 10;
/** The connection ended before the request went out, or belonged to a pool that was just replaced. */
const NEVER_SENT = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED', 'ECONNREFUSED']);
/** A kept-alive connection that the server closed while it was idle; harmless to repeat for reads. */
const MAYBE_SENT = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

export class Transport {
  readonly #config: PooledKubeConfig;
  readonly #userAgent: string;

  constructor(config: PooledKubeConfig, userAgent: string) {
    this.#config = config;
    this.#userAgent = userAgent;
  }

  /**
   * The parsed answer.
   * @throws KubeError; or the signal's reason when the caller gave up.
   */
  async json(exchange: Exchange): Promise<unknown> {
    return await withDeadline(exchange, async (signal) => {
      for (let attempt = 1; ; attempt++)
        try {
          return await this.#once(exchange, signal);
        } catch (error) {
          const wait = retryDelayMs(error, exchange, attempt);
          if (wait === undefined) throw error;
          await sleep(wait, signal);
        }
    });
  }

  /** The body of a long answer; the deadline covers the wait for its headers, the signal all of it. */
  async stream(exchange: Exchange): Promise<Readable> {
    const life = new AbortController();
    const onAbort = (): void => {
      life.abort(exchange.signal?.reason);
    };
    exchange.signal?.throwIfAborted();
    exchange.signal?.addEventListener('abort', onAbort, { once: true });
    const release = (): void => exchange.signal?.removeEventListener('abort', onAbort);
    const timer = setTimeout(() => {
      life.abort(timeout(exchange));
    }, exchange.timeoutMs);
    try {
      const { status, headers, body } = await this.#send(exchange, life.signal, 'watch');
      if (status >= 400) throw errorFromAnswer(status, await body.text(), contextOf(exchange, headers));
      body.once('close', release);
      return body;
    } catch (error) {
      release();
      throw failureOf(error, exchange, life.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #once(exchange: Exchange, signal: AbortSignal): Promise<unknown> {
    const { status, headers, body } = await this.#send(exchange, signal, 'call');
    const text = await body.text();
    if (status >= 400) throw errorFromAnswer(status, text, contextOf(exchange, headers));
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // The parser's own message quotes the text.
      throw new KubeError({ status, reason: 'InvalidResponse', message: `${exchange.call}: the answer is not JSON` });
    }
  }

  /** A missing token file or a failing login plugin is no fault of the server's. */
  async #access(exchange: Exchange, use: Use): Promise<Access> {
    try {
      return await this.#config.access(use);
    } catch (error) {
      const why = error instanceof Error ? scrub(error.message) : 'unknown error';
      throw new KubeError({ status: 0, reason: 'NoCredentials', message: `${exchange.call}: cannot log in: ${why}` });
    }
  }

  async #send(
    exchange: Exchange,
    signal: AbortSignal,
    use: Use,
  ): Promise<Pick<Dispatcher.ResponseData, 'headers' | 'body'> & { status: number }> {
    const { server, headers, dispatcher } = await this.#access(exchange, use);
    signal.throwIfAborted();
    const query = Object.entries(exchange.query ?? {}).filter(([, value]) => value !== undefined) as [string, string][];
    const search = query.length > 0 ? `?${new URLSearchParams(query).toString()}` : '';
    const answer = await request(`${server}${exchange.path}${search}`, {
      method: exchange.method,
      dispatcher,
      signal,
      headers: {
        ...headers,
        accept: exchange.accept ?? 'application/json',
        'user-agent': this.#userAgent,
        ...(exchange.body === undefined ? {} : { 'content-type': exchange.contentType ?? 'application/json' }),
      },
      ...(exchange.body === undefined ? {} : { body: JSON.stringify(exchange.body) }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }
}

/** Runs `work` under a signal that ends with the caller's signal or the deadline; leaves no listener behind. */
async function withDeadline<T>(exchange: Exchange, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  exchange.signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(exchange.signal?.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(timeout(exchange));
  }, exchange.timeoutMs);
  exchange.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    throw failureOf(error, exchange, controller.signal);
  } finally {
    clearTimeout(timer);
    exchange.signal?.removeEventListener('abort', onAbort);
  }
}

/** An aborted call throws the reason of the abort, whatever the layers below made of it. */
function failureOf(error: unknown, exchange: Exchange, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason as Error;
  return error instanceof KubeError ? error : errorFromTransport(error, exchange.call);
}

const timeout = (exchange: Exchange): KubeError =>
  new KubeError({
    status: 0,
    reason: 'Timeout',
    message: `${exchange.call}: no answer from the API server within ${exchange.timeoutMs / 1000} s`,
  });

function retryDelayMs(error: unknown, exchange: Exchange, attempt: number): number | undefined {
  if (attempt >= ATTEMPTS) return undefined;
  if (error instanceof KubeError) {
    if (error.status !== 429 || (error.retryAfterSeconds ?? 1) > LONGEST_WAIT_S) return undefined;
    return (error.retryAfterSeconds ?? 1) * 1000 * (1 + Math.random() / 4);
  }
  const code = codeOf(error);
  if (code === undefined || attempt > 1) return undefined;
  return NEVER_SENT.has(code) || (exchange.method === 'GET' && MAYBE_SENT.has(code)) ? 50 : undefined;
}

function contextOf(exchange: Exchange, headers: Record<string, string | string[] | undefined>): ErrorContext {
  const header = headers['retry-after'];
  return {
    call: exchange.call,
    confidential: exchange.confidential,
    retryAfterHeader: Array.isArray(header) ? header[0] : header,
  };
}
