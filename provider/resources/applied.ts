/**
 * The record of what a Grant or DefaultPrivileges gave, kept on the resource as JSON: exactly that is taken back.
 * It is one flat list of entries, so that two records (before and after a change) unite entry by entry.
 */
import type { ObjectTarget, ObjectType } from './model/objects.ts';

/** Privileges on one target of the spec (`*` included). */
export interface AppliedEntry {
  target: ObjectTarget;
  privileges: string[];
  withOption?: true;
  /** The grantor that the spec asked for. */
  grantor?: string;
  /**
   * given: we declared it and take it back. taken: PUBLIC held it by default, `exclusive` revoked it, and it is given
   * back. found: PUBLIC held it by default before we declared it, so it stays when we go.
   */
  as?: 'taken' | 'found';
}

/** Membership in a group. */
export interface AppliedMembership {
  memberOf: string;
  admin?: boolean;
  inherit?: boolean;
  set?: boolean;
}

/** What a DefaultPrivileges gave or took; its identity is immutable. */
export type AppliedDefault = Omit<AppliedEntry, 'target' | 'grantor'>;

export interface Scope {
  database: string | undefined;
  /** What the spec is on, where that belongs to the whole server. */
  type?: ObjectType;
}

/**
 * The entries of a record that belong to this scope. The record is an annotation, which whoever may edit the resource
 * may edit too: an entry on another database than the spec's, which is immutable, was not written by us.
 */
export const readApplied = (value: unknown, scope: Scope): AppliedEntry[] =>
  entriesOf(value).filter((entry) => isWithin(entry, scope));

/** The first target of the record that is out of scope. */
export const strayTarget = (value: unknown, scope: Scope): ObjectTarget | undefined =>
  entriesOf(value).find((entry) => !isWithin(entry, scope))?.target;

const entriesOf = (value: unknown): AppliedEntry[] => (Array.isArray(value) ? value.filter(isEntry) : []);

const isWithin = ({ target }: AppliedEntry, { database, type }: Scope): boolean =>
  target.database === database && (database !== undefined || target.type === type);

export function readAppliedMemberships(value: unknown): AppliedMembership[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is AppliedMembership => isObject(item) && typeof item['memberOf'] === 'string');
}

export function readAppliedDefaults(value: unknown): AppliedDefault[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is AppliedDefault => isObject(item) && isStrings(item['privileges']));
}

const TYPES: Record<ObjectType, true> = {
  database: true,
  databasePattern: true,
  schema: true,
  table: true,
  sequence: true,
  routine: true,
  type: true,
  language: true,
  foreignDataWrapper: true,
  foreignServer: true,
  tablespace: true,
  parameter: true,
  largeObject: true,
  global: true,
  proxy: true,
};

function isEntry(value: unknown): value is AppliedEntry {
  if (!isObject(value) || !isObject(value['target'])) return false;
  const { target } = value;
  return (
    Object.hasOwn(TYPES, String(target['type'])) &&
    ['database', 'schema', 'name'].every((key) => ['string', 'undefined'].includes(typeof target[key])) &&
    ['args', 'columns'].every((key) => target[key] === undefined || isStrings(target[key])) &&
    ['function', 'procedure', undefined].includes(target['routineType'] as undefined) &&
    isStrings(value['privileges']) &&
    ['string', 'undefined'].includes(typeof value['grantor'])
  );
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
