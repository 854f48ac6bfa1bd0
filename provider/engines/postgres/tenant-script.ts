/** Sends whole SQL that a tenant wrote on a session of its own, and takes no harm from what it answers. */
import { type Client, Query } from 'pg';
import { ResourceError } from '../../common/errors.ts';
import { type Circumstance, toResourceError } from './errors.ts';
import { endClient } from './session.ts';
import { tenantScript } from './sql.ts';

/** A script may not hold a session of the server's budget for longer. */
const LIMIT_MS = 5 * 60_000;
/** What a script selects is nobody's to read; more than this would fill our memory. */
const LIMIT_BYTES = 64 * 1024 * 1024;

const TRIED: Circumstance = { tried: 'initSQL' };

/** Ends the session in any case. Throws ResourceError. */
export async function runScript(client: Client, text: string): Promise<void> {
  let broken: ResourceError | undefined;
  const stop = (error: ResourceError): void => {
    broken ??= error;
    void endClient(client, 0);
  };
  const timer = setTimeout(() => {
    const late = Object.assign(new Error(`took more than ${LIMIT_MS / 60_000} minutes`), { code: '57014' });
    stop(toResourceError(late, TRIED));
  }, LIMIT_MS);
  let bytes = 0;
  streamOf(client).on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMIT_BYTES)
      stop(
        new ResourceError(
          'InitSQLFailed',
          `initSQL: it answered more than ${LIMIT_BYTES / 1024 / 1024} MiB, which nobody reads; use PERFORM, or SELECT into a table`,
          { retryable: false },
        ),
      );
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const query = new Query(tenantScript(text).text);
      // Rows that somebody listens for are not kept.
      query.on('row', () => {});
      query.on('error', reject);
      query.on('end', () => {
        resolve();
      });
      client.query(query);
    });
  } catch (error) {
    throw broken ?? toResourceError(error, TRIED);
  } finally {
    clearTimeout(timer);
    await endClient(client);
  }
}

const streamOf = (client: Client): NodeJS.ReadableStream =>
  (client as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection.stream;
