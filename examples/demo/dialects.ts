/** How the proofs of the demo are said to a server. */

export interface ProofDialect {
  /** A table's full name, as SQL. */
  table(schema: string, name: string): string;
  createTable(table: string): string;
  /** What the server says to somebody who may not. */
  denied: ReadonlySet<string>;
}

export const POSTGRES: ProofDialect = {
  table: (schema, name) => `"${schema}"."${name}"`,
  createTable: (table) => `CREATE TABLE ${table} (id serial PRIMARY KEY, note text)`,
  denied: new Set(['42501']),
};

export const MYSQL: ProofDialect = {
  table: (_schema, name) => `\`${name}\``,
  createTable: (table) => `CREATE TABLE ${table} (id int AUTO_INCREMENT PRIMARY KEY, note text)`,
  denied: new Set(['ER_TABLEACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR']),
};
