/**
 * Who manages an object, where the server has a place for it: on MySQL an attribute of the account, and for databases,
 * which have neither comments nor attributes there, the attributes of a role that exists for nothing else; on MariaDB the
 * comment of a database. Accounts of MariaDB have no such place.
 */
import type { Mark } from '../../resources/model/objects.ts';
import type { Flavour } from './flavour.ts';

const FORM = /(?:^|\n)managed by xdatabase: (\S+) \(([^()\s]+)\)$/;

/** Whether objects of that type can carry a mark. */
export const carriesMark = (flavour: Flavour, type: string): boolean =>
  flavour === 'mysql' ? type === 'role' || type === 'database' : type === 'database';

/** What is merged into the attributes of an account: those of others stay. */
export const attributeOf = ({ uid, resource }: Mark): string => JSON.stringify({ xdatabase: { uid, resource } });

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
