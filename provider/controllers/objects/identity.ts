/** What a managed resource claims on a server, and what it names that another resource must manage. */
import type { Managed } from '../../api/kind.ts';
import { roleReference } from '../../api/role.ts';
import { externalNameOf } from '../../runtime/managed/annotations.ts';

/** One object on a server. The name is unique within its kind. */
export interface Claimed {
  kind: 'Database' | 'Role' | 'Schema' | 'Extension';
  name: string;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** The object that only one resource may manage; undefined for kinds that own no object (Grant, DefaultPrivileges). */
export function claimOf(resource: Managed): Claimed | undefined {
  const spec = resource.spec.forProvider;
  const name = externalNameOf(resource);
  const database = text(spec['database']) ?? '';
  switch (resource.kind) {
    case 'Database':
      return { kind: 'Database', name };
    case 'Role':
      return { kind: 'Role', name: roleReference(name, text(spec['host'])) };
    case 'Schema':
      return { kind: 'Schema', name: `${database}/${name}` };
    case 'Extension':
      return { kind: 'Extension', name: `${database}/${text(spec['extension']) ?? name}` };
    default:
      return undefined;
  }
}

/** As roleReference says it: at any host is what is meant when none is named. */
const shortest = (role: string): string => role.replace(/^([^@]*)@%$/, '$1');

export interface Mention extends Claimed {
  kind: 'Database' | 'Role';
  /** Where it is named, e.g. "forProvider.owner". */
  path: string;
  /** A group that somebody becomes a member of. */
  isGroup?: true;
}

type Fields = Record<string, unknown>;

const ROLE_FIELDS = ['owner', 'role', 'memberOf', 'proxyOf', 'grantor', 'targetRole'];
/** Not `sourceDatabase`: of a Restore it names files, of a Copy the server may be another, which is checked by itself. */
const DATABASE_FIELDS = ['database', 'connectionDatabase', 'template', 'targetDatabase'];
/** Databases that every server has and that hold nobody's data. */
const SHARED_TEMPLATES = new Set(['template0', 'template1']);

/** The parts of a spec that speak of the server, by their names: what is given for creation only counts as well. */
export function partsOf(resource: Managed): [path: string, fields: Fields][] {
  const { forProvider, initProvider } = resource.spec;
  const parts: [path: string, fields: Fields | undefined][] = [
    ['forProvider', forProvider],
    ['initProvider', initProvider],
  ];
  return parts.filter((part): part is [string, Fields] => part[1] !== undefined);
}

/** Every database and role that the spec names. Schemas, tables and the like are inside a database that is named. */
export function mentionsOf(resource: Managed): Mention[] {
  return partsOf(resource).flatMap(([path, fields]) => mentionsIn(path, fields));
}

function mentionsIn(part: string, spec: Fields): Mention[] {
  const mentions: Mention[] = [];
  const add = (kind: Mention['kind'], value: unknown, path: string): void => {
    const name = text(value);
    if (name === undefined) return;
    const isGroup = path.startsWith('memberOf');
    mentions.push({
      kind,
      name: kind === 'Role' ? shortest(name) : name,
      path: `${part}.${path}`,
      ...(isGroup ? { isGroup } : {}),
    });
  };
  for (const field of ROLE_FIELDS) if (field !== 'role' || spec[field] !== 'PUBLIC') add('Role', spec[field], field);
  for (const field of DATABASE_FIELDS)
    if (field !== 'template' || !SHARED_TEMPLATES.has(String(spec[field]))) add('Database', spec[field], field);
  if (Array.isArray(spec['memberOf']))
    spec['memberOf'].forEach((group: Fields, index) => {
      add('Role', group['role'], `memberOf[${index}].role`);
    });
  add('Role', heirOf(spec), 'onDelete.reassignOwnedTo');
  return mentions;
}

const OF_A_ROLE: ReadonlySet<string> = new Set(['Grant', 'DefaultPrivileges']);

/** Whether it owns nothing, but gives a role something, which others may give it too. */
export const isOfRole = ({ kind }: Managed): boolean => OF_A_ROLE.has(kind);

/** The role that it gives something; undefined for PUBLIC, and while it is not resolved. */
export const granteeOf = (resource: Managed): Mention | undefined =>
  isOfRole(resource) ? mentionsOf(resource).find(({ path }) => path === 'forProvider.role') : undefined;

const heirOf = (spec: Fields): unknown => (spec['onDelete'] as Fields | undefined)?.['reassignOwnedTo'];

/**
 * The one role that counts even while the resource is being deleted: it would own what others have made. Where the role
 * is kept without it, the heir may be gone before, and the mark on the server says whether it is the tenant's.
 */
export const heirsOf = (resource: Managed): Mention[] => {
  const { onDelete } = resource.spec.forProvider as { onDelete?: { keepIfOwner?: boolean } };
  if (onDelete?.keepIfOwner === true) return [];
  return mentionsOf(resource).filter(({ path }) => path.endsWith('.onDelete.reassignOwnedTo'));
};
