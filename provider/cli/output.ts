/** What the command line prints: tables, SQL, JSON, and progress on a terminal only. */
import type { Writable } from 'node:stream';
import type { ResourcePlan, ResourceResult } from '../local/workspace.ts';

export interface Output {
  line(text?: string): void;
  /** One line that replaces itself on a terminal, and nothing elsewhere. */
  progress(text: string): void;
  json(value: unknown): void;
}

export function terminal(
  stdout: Writable & { isTTY?: boolean },
  stderr: Writable & { isTTY?: boolean },
  quiet = false,
): Output {
  let shown = false;
  const clear = (): void => {
    if (shown) stderr.write('\r\u001B[K');
    shown = false;
  };
  return {
    line: (text = '') => {
      clear();
      if (!quiet) stdout.write(`${text}\n`);
    },
    progress: (text) => {
      if (!stderr.isTTY) return;
      clear();
      stderr.write(text);
      shown = true;
    },
    json: (value) => {
      clear();
      stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
  };
}

/** Columns as wide as their widest cell, two blanks between. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

export const titleOf = (plan: { resource: ResourcePlan['resource'] }): string =>
  `${plan.resource.kind} ${plan.resource.metadata.name}`;

/** A plan as SQL that can be read and, secrets apart, run. */
export function planLines(plans: readonly ResourcePlan[]): string[] {
  const lines: string[] = [];
  let database: string | undefined;
  for (const plan of plans) {
    if (plan.problem !== undefined) lines.push(`-- ${titleOf(plan)}: cannot be planned: ${plan.problem}`);
    for (const difference of plan.unchangeable) lines.push(`-- ${titleOf(plan)}: cannot be changed: ${difference}`);
    if (plan.statements.length === 0) continue;
    lines.push(`-- ${titleOf(plan)}`);
    for (const statement of plan.statements) {
      if (statement.database !== database) {
        database = statement.database;
        // Of servers where a session is at home nowhere there is nothing to say.
        if (database !== '') lines.push(`\\connect ${JSON.stringify(database)}`);
      }
      lines.push(`${statement.text};`);
    }
  }
  return lines;
}

export const resultRows = (results: readonly ResourceResult[]): string[][] => [
  ['KIND', 'NAME', 'EXTERNAL-NAME', 'READY', 'SYNCED', 'MESSAGE'],
  ...results.map(({ resource, ready, synced, message }) => [
    resource.kind,
    resource.metadata.name,
    resource.metadata.annotations?.['crossplane.io/external-name'] ?? '',
    ready ? 'True' : 'False',
    synced ? 'True' : 'False',
    message,
  ]),
];
