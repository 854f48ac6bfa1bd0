/** One object, one spelling: what the server takes for the same is the same in the wish, in the record and to others. */
import type { GrantParameters } from '../api/grant.ts';
import type { ServerInfo } from './model/server.ts';
import type { PrivilegeTable } from './privilege-set.ts';

const small = (names: readonly string[] | undefined): string[] | undefined =>
  names && [...new Set(names.map((name) => name.toLowerCase()))];

/** The fields of a Grant in the letters in which its objects are told apart. */
export function spelt(fields: GrantParameters, { ownerless }: PrivilegeTable, server: ServerInfo): GrantParameters {
  const { columns, largeObjects, parameters, routines, tables } = fields;
  // MySQL and MariaDB: columns and routines have no case, and tables have none on some machines.
  const isFolding = ownerless === true;
  return {
    ...fields,
    ...(parameters && { parameters: small(parameters) }),
    ...(largeObjects && { largeObjects: largeObjects.map((oid) => oid.replace(/^0+(?=\d)/, '')) }),
    ...(isFolding && columns && { columns: small(columns) }),
    ...(isFolding && routines && { routines: routines.map((one) => ({ ...one, name: one.name.toLowerCase() })) }),
    ...(server.foldsDatabaseNames === true && tables && { tables: small(tables) }),
  };
}
