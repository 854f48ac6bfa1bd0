/** The privileges of each engine, as the planners are given them. */
import type { EngineName } from '../api/engines.ts';
import { invalidSpec } from '../common/errors.ts';
import type { ServerInfo } from './model/server.ts';
import type { PrivilegeTable } from './privilege-set.ts';

export type PrivilegeTables = Readonly<Partial<Record<EngineName, PrivilegeTable>>>;

/** Throws InvalidSpec for an engine whose privileges nobody gave. */
export function tableOf(tables: PrivilegeTables, server: ServerInfo): PrivilegeTable {
  const table = tables[server.engine];
  if (table === undefined) throw invalidSpec(`${server.product} has no privileges that can be granted here`);
  return table;
}
