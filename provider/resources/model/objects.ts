/** What is named on a server: objects, those who may use them, and our mark. Names are as the server has them, unquoted. */

export type ObjectType =
  | 'database'
  /** Every database whose name matches, where the server grants on such patterns; `name` is the pattern as it is stored. */
  | 'databasePattern'
  | 'schema'
  | 'table'
  | 'sequence'
  | 'routine'
  | 'type'
  | 'language'
  | 'foreignDataWrapper'
  | 'foreignServer'
  | 'tablespace'
  | 'parameter'
  | 'largeObject'
  | 'global'
  /** An account that another may act as; `name` is the account. */
  | 'proxy';

/** One object that privileges are granted on. `name: '*'` is every object of that type in the schema. */
export interface ObjectTarget {
  type: ObjectType;
  database?: string;
  schema?: string;
  name?: string;
  /** Argument types of a routine; absent = the only routine of that name. */
  args?: string[];
  /** Where a function and a procedure may have one name. */
  routineType?: RoutineType;
  columns?: string[];
}

export type RoutineType = 'function' | 'procedure';

/** `PUBLIC` is the keyword, never a role of that name. */
export type Grantee = { public: true } | { public?: false; name: string; host?: string };

/** Who manages an object, as marked on the server: the uid and the name of the managed resource. */
export interface Mark {
  uid: string;
  resource: string;
}
