/** The privileges of each engine, as the planners are given them. */
import type { EngineName, ServerInfo } from '../engines/engine.ts';
import { invalidSpec } from './errors.ts';
import type { PrivilegeTable } from './privilege-set.ts';

export type PrivilegeTables = Readonly<Partial<Record<EngineName, PrivilegeTable>>>;

/** Throws InvalidSpec for an engine whose privileges nobody gave. */
export function tableOf(tables: PrivilegeTables, server: ServerInfo): PrivilegeTable {
  const table = tables[server.engine];
  if (table === undefined) throw invalidSpec(`${server.product} has no privileges that can be granted here`);
  return table;
}
