import { both, referring, SETTINGS, type Try, withSetting } from './try.ts';

const ATTRIBUTES = ['superUser', 'createDb', 'createRole', 'replication', 'bypassRls'];

export const roles: Try[] = [
  ...ATTRIBUTES.flatMap((attribute) =>
    both('Role', 'privileges', { [attribute]: true }, 'AttributeNotAllowed').map((tried) => ({
      ...tried,
      fields: [`privileges.${attribute}`],
    })),
  ),
  ...SETTINGS.filter((name) => name !== 'role').flatMap((name) => withSetting('Role', 'configurationParameters', name)),
  ...['iso_a_owner', 'iso_dba'].flatMap((value) =>
    both('Role', 'configurationParameters', [{ name: 'role', value }], 'NotYours').map((tried) => ({
      ...tried,
      fields: ['configurationParameters[].value'],
    })),
  ),
  ...['iso_a_owner', 'iso_a_app', 'iso_dba', 'postgres', 'pg_read_all_data', 'pg_execute_server_program'].flatMap(
    (of) =>
      both('Role', 'memberOf', [{ role: of }], 'NotYours').map((tried) => ({ ...tried, fields: ['memberOf[].role'] })),
  ),
  {
    kind: 'Role',
    fields: ['memberOf[].roleRef'],
    forProvider: { memberOf: [{ roleRef: { name: 'a-owner' } }] },
    reason: 'ReferenceNotFound',
  },
  {
    kind: 'Role',
    fields: ['memberOf[].roleSelector'],
    forProvider: { memberOf: [{ roleSelector: { matchLabels: { team: 'a' } } }] },
    reason: 'ReferenceNotFound',
  },
  ...both('Role', 'connectionDatabase', 'iso_a', 'NotYours'),
  ...referring('Role', 'connectionDatabase', 'a-db'),
  ...both('Role', 'onDelete', { reassignOwnedTo: 'iso_a_owner' }, 'NotYours').map((tried) => ({
    ...tried,
    fields: ['onDelete.reassignOwnedTo'],
  })),
  ...both('Role', 'onDelete', { reassignOwnedToAdmin: true }, 'NotYours').map((tried) => ({
    ...tried,
    fields: ['onDelete.reassignOwnedToAdmin'],
  })),
  ...both('Role', 'adopt', true, 'AdoptionNotAllowed'),
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_a_app', reason: 'AlreadyManaged' },
  { kind: 'Role', fields: ['metadata'], externalName: 'postgres', reason: 'ReservedName' },
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_legacy', reason: 'NotYours' },
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_orphan', isForged: true, reason: 'NotYours' },
];
