/** What a PostgreSQL server was asked to do, read without adding to it. */
import { Client } from 'pg';
import type { PostgresClient } from '../rig/postgres-client.ts';

export interface Counters {
  logins: number;
  statements: number;
  /** Calls by text, as the server normalises it. */
  byText: ReadonlyMap<string, number>;
}

export interface StatementCount {
  text: string;
  calls: number;
}

/** Statements that change nothing: the rest is what a server at rest should not be asked. */
const READS =
  /^\s*(select|set|show|begin|start transaction|commit|rollback|reset|discard|deallocate|close|fetch|values|table)\b/i;
const READING_WITH = /^\s*with\b(?![\s\S]*\b(insert\s+into|update|delete\s+from|merge\s+into)\b)/i;

export const isWrite = (text: string): boolean => !READS.test(text) && !READING_WITH.test(text);

export class ServerCounters {
  readonly #session: Client;

  private constructor(session: Client) {
    this.#session = session;
  }

  /** Logs in once, before anything is counted, and keeps its own statements out of pg_stat_statements. */
  static async open(server: PostgresClient): Promise<ServerCounters> {
    const session = new Client({ connectionString: server.url(), application_name: 'bench' });
    await session.connect();
    await session.query(`set pg_stat_statements.track = 'none'`);
    return new ServerCounters(session);
  }

  /** @throws Error when pg_stat_statements was too small for all texts, as its sums are then too low. */
  async read(): Promise<Counters> {
    const one = async (sql: string): Promise<number> =>
      Number((await this.#session.query<{ n: string }>(sql)).rows[0]?.n ?? 0);
    if ((await one('select dealloc as n from pg_stat_statements_info')) > 0)
      throw new Error('pg_stat_statements.max is too small for this many different statements');
    // A session reports its login when it ends or is idle for a while: this asks for what is known now.
    await this.#session.query('select pg_stat_clear_snapshot()');
    const logins = await one('select coalesce(sum(sessions), 0) as n from pg_stat_database');
    const { rows } = await this.#session.query<{ query: string; calls: string }>(
      'select query, sum(calls) as calls from pg_stat_statements group by query',
    );
    const byText = new Map(rows.map(({ query, calls }) => [query, Number(calls)]));
    return { logins, statements: [...byText.values()].reduce((sum, calls) => sum + calls, 0), byText };
  }

  async close(): Promise<void> {
    await this.#session.end();
  }
}

/** What was called between two readings, most calls first. */
export function callsBetween(before: Counters, after: Counters): StatementCount[] {
  return [...after.byText]
    .map(([text, calls]) => ({ text, calls: calls - (before.byText.get(text) ?? 0) }))
    .filter(({ calls }) => calls > 0)
    .sort((a, b) => b.calls - a.calls);
}
