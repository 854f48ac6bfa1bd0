/** The events of one watch: one JSON document per line, until the server closes the stream. */
import type { Readable } from 'node:stream';
import type { KubeObject } from '../../api/kind.ts';
import { type ErrorContext, errorFromStatus, errorFromTransport, KubeError } from './errors.ts';

export interface WatchEvent<T extends KubeObject = KubeObject> {
  /** A BOOKMARK carries nothing but `metadata.resourceVersion`. */
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/** @throws KubeError for an ERROR event, a broken stream or a line that is no event; the signal's reason on abort. */
export async function* readWatch<T extends KubeObject>(
  body: Readable,
  context: ErrorContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  try {
    for await (const line of linesOf(body)) {
      signal?.throwIfAborted();
      yield parse<T>(line, context);
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error instanceof KubeError ? error : errorFromTransport(error, context.call);
  } finally {
    body.destroy();
  }
}

function parse<T extends KubeObject>(line: string, context: ErrorContext): WatchEvent<T> {
  let event: { type?: unknown; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch {
    throw invalid(context);
  }
  if (event.type === 'ERROR') throw errorFromStatus(500, event.object, context);
  if (typeof event.object !== 'object' || event.object === null || !TYPES.has(event.type)) throw invalid(context);
  return event as unknown as WatchEvent<T>;
}

const TYPES = new Set<unknown>(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

const invalid = (context: ErrorContext): KubeError =>
  new KubeError({ status: 200, reason: 'InvalidResponse', message: `${context.call}: a line is not a watch event` });

const NEWLINE = 0x0a;

/** Splits on bytes, so that a character cut by a chunk's end is put together again; an unfinished last line is dropped. */
async function* linesOf(body: Readable): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      pending.push(chunk.subarray(start, end));
      const line = Buffer.concat(pending).toString('utf8');
      pending = [];
      start = end + 1;
      if (line.trim() !== '') yield line;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
}
