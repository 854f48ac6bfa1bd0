/** The session of the PostgreSQL underneath that does what a client's SQL says, with the rights of that client. */
import { Client } from 'pg';
import type { PostgresAddress } from '../postgres-client.ts';
import { type Result, SqlError } from './wire.ts';

const asText = { getTypeParser: () => (value: string) => value };

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export class Backend {
  readonly #client: Client;
  readonly database: string;
  #isLost = false;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(client: Client, database: string) {
    this.#client = client;
    this.database = database;
    client.on('error', () => {
      this.#isLost = true;
    });
    client.on('end', () => {
      this.#isLost = true;
    });
  }

  static async open(address: PostgresAddress, database: string, user?: string): Promise<Backend> {
    const { host, port, adminUser, password } = address;
    const client = new Client({ host, port, user: adminUser, password, database, application_name: 'simulator' });
    const backend = new Backend(client, database);
    try {
      await client.connect();
      if (user !== undefined) {
        await client.query(`SET SESSION AUTHORIZATION ${quoted(user)}`);
        await client.query('SET client_min_messages TO error');
      }
    } catch (error) {
      await client.end().catch(() => {});
      throw translated(error);
    }
    return backend;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  get status(): 'I' | 'T' | 'E' {
    return this.#isLost ? 'I' : (this.#client.getTransactionStatus() ?? 'I');
  }

  /** Every value as the text that the server sent. Statements wait for each other. */
  async run(text: string, params: readonly (string | null)[] = []): Promise<Result> {
    const result = this.#tail.then(async () => await this.#run(text, params));
    this.#tail = result.catch(() => {});
    return await result;
  }

  async #run(text: string, params: readonly (string | null)[]): Promise<Result> {
    try {
      const result = await this.#client.query({
        text,
        rowMode: 'array',
        types: asText,
        ...(params.length === 0 ? {} : { values: [...params] }),
      });
      const { command, rowCount, fields } = result;
      const rows = result.rows as (string | null)[][];
      const counted = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TABLE', 'VALUES'].includes(command);
      const tag = counted ? `${command === 'INSERT' ? 'INSERT 0' : command} ${rowCount ?? 0}` : (command ?? 'OK');
      if (fields.length === 0) return { tag };
      return { tag, rows, columns: fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID })) };
    } catch (error) {
      throw translated(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}

function translated(error: unknown): SqlError {
  const { code, message, detail, hint } = error as { code?: string; message: string; detail?: string; hint?: string };
  return new SqlError(code ?? 'XX000', message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  });
}
