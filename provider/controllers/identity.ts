/** What a managed resource claims on a server, and what it names that another resource must manage. */
import type { Managed } from '../api/kind.ts';
import { roleReference } from '../api/role.ts';
import { externalNameOf } from '../runtime/managed/annotations.ts';

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
}

const ROLE_FIELDS = ['owner', 'role', 'memberOf', 'proxyOf', 'grantor', 'targetRole'];
/** Not `sourceDatabase`: of a Restore it names files, of a Copy the server may be another, which is checked by itself. */
const DATABASE_FIELDS = ['database', 'connectionDatabase', 'template', 'targetDatabase'];
/** Databases that every server has and that hold nobody's data. */
const SHARED_TEMPLATES = new Set(['template0', 'template1']);

/** Every database and role that the spec names. Schemas, tables and the like are inside a database that is named. */
export function mentionsOf(resource: Managed): Mention[] {
  const spec = resource.spec.forProvider;
  const mentions: Mention[] = [];
  const add = (kind: Mention['kind'], value: unknown, path: string): void => {
    const name = text(value);
    if (name === undefined) return;
    mentions.push({ kind, name: kind === 'Role' ? shortest(name) : name, path: `forProvider.${path}` });
  };
  for (const field of ROLE_FIELDS) if (spec[field] !== 'PUBLIC') add('Role', spec[field], field);
  for (const field of DATABASE_FIELDS)
    if (field !== 'template' || !SHARED_TEMPLATES.has(String(spec[field]))) add('Database', spec[field], field);
  if (Array.isArray(spec['memberOf']))
    spec['memberOf'].forEach((group: Record<string, unknown>, index) => {
      add('Role', group['role'], `memberOf[${index}].role`);
    });
  const onDelete = spec['onDelete'] as Record<string, unknown> | undefined;
  add('Role', onDelete?.['reassignOwnedTo'], 'onDelete.reassignOwnedTo');
  return mentions;
}
