/**
 * Who manages an object. On MySQL an attribute of the account says so, and for databases, which have neither comments nor
 * attributes there, the attributes of a role that exists for nothing else. On MariaDB a database has its comment, and an
 * account or role a role of its own, without rights, that it is a member of: it goes with the account, and only who may
 * make accounts can give it.
 */
import { createHash } from 'node:crypto';
import type { Mark } from '../../resources/model/objects.ts';

const FORM = /(?:^|\n)managed by xdatabase: (\S+) \(([^()\s]+)\)$/;

/** What is merged into the attributes of an account: those of others stay. */
export const attributeOf = ({ uid, resource }: Mark, isRole = false): string =>
  JSON.stringify({ xdatabase: { uid, resource, ...(isRole ? { role: true } : {}) } });

/** Whether an account that nobody can log in as was made as a role. */
export const isMadeAsRole = (attributes: unknown): boolean =>
  (attributes as { xdatabase?: { role?: unknown } | null } | null)?.xdatabase?.role === true;

/** The role of MySQL whose attributes are the marks of databases. Nobody can log in as it, and nobody has it. */
export const MARKS = { name: 'xdatabase.marks', host: 'localhost' } as const;

/** What is merged into its attributes: null takes a mark away. */
export const databaseMarks = (database: string, mark: Mark | null): string =>
  JSON.stringify({ databases: { [database]: mark === null ? null : { uid: mark.uid, resource: mark.resource } } });

/** Reads the attributes of an account. */
export function readAttribute(attributes: unknown): Mark | undefined {
  const { uid, resource } =
    (attributes as { xdatabase?: Partial<Record<string, unknown>> | null } | null)?.xdatabase ?? {};
  return typeof uid === 'string' && typeof resource === 'string' ? { uid, resource } : undefined;
}

const ROLE_PREFIX = 'xdatabase.mark.';
/** Characters of the name of a role that MariaDB takes. */
const MAX_ROLE_CHARACTERS = 128;
/** Of the digest of the account, in hexadecimal. */
const DIGEST_CHARACTERS = 16;

/** How many characters of the name of a mark say which account it is for. */
export const MARK_KEY_CHARACTERS = ROLE_PREFIX.length + DIGEST_CHARACTERS;

/** The beginning of the names of all marks of one account of MariaDB; a role has the empty host. */
export function markKey({ name, host }: { name: string; host: string }): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([name, host.toLowerCase()]))
    .digest('hex');
  return `${ROLE_PREFIX}${digest.slice(0, DIGEST_CHARACTERS)}`;
}

/** Of all marks of what has that name: without a host it is an account or a role. */
export const markKeysOf = ({ name, host }: { name: string; host?: string }): string[] =>
  (host === undefined ? ['%', ''] : [host]).map((at) => markKey({ name, host: at }));

/** The role of MariaDB that is the mark. What does not fit of the name of the resource is left out. */
export function markRole(of: { name: string; host: string }, { uid, resource }: Mark): string {
  return Array.from(`${markKey(of)}.${uid} ${resource}`)
    .slice(0, MAX_ROLE_CHARACTERS)
    .join('')
    .trimEnd();
}

export const isMarkRole = (name: string): boolean => name.startsWith(ROLE_PREFIX);

/** What such a name says; undefined when it is none of ours. */
export function readMarkRole(name: string): Mark | undefined {
  const found = /^\.(\S+) (\S.*)$/.exec(isMarkRole(name) ? name.slice(MARK_KEY_CHARACTERS) : '');
  return found === null ? undefined : { uid: found[1] ?? '', resource: found[2] ?? '' };
}

/** In LIKE. */
export const MARK_ROLES_PATTERN = `${ROLE_PREFIX}%`;

/** MariaDB's limit of a comment on a database, in characters. */
export const MAX_COMMENT_CHARACTERS = 1_024;

/** The comment of a database that had, or is to have, `text` as its comment. */
export function withMark(mark: Mark, text?: string | null): string {
  const own = withoutMark(text);
  const line = `managed by xdatabase: ${mark.resource} (${mark.uid})`;
  return own === '' ? line : `${own}\n${line}`;
}

/** What people wrote. */
export const withoutMark = (comment?: string | null): string => (comment ?? '').replace(FORM, '');

export function readMark(comment: string | null | undefined): Mark | undefined {
  const match = FORM.exec(comment ?? '');
  return match === null ? undefined : { resource: match[1] ?? '', uid: match[2] ?? '' };
}
