import { both, database, referring, SETTINGS, withSetting, type Fields, type Try } from './try.ts';

export const databases: Try[] = [
  ...both('Database', 'owner', 'iso_a_owner', 'NotYours'),
  ...both('Database', 'owner', 'iso_dba', 'NotYours'),
  ...both('Database', 'owner', 'pg_read_all_data', 'NotYours'),
  ...referring('Database', 'owner', 'a-owner'),
  ...both('Database', 'template', 'iso_a', 'NotYours'),
  ...both('Database', 'template', 'iso_platform', 'NotYours'),
  ...both('Database', 'template', 'postgres', 'NotYours'),
  ...both('Database', 'tablespace', 'iso_space', 'PrivilegeNotAllowed'),
  ...both('Database', 'adopt', true, 'AdoptionNotAllowed'),
  ...SETTINGS.flatMap((name) => withSetting('Database', 'settings', name)),
  { kind: 'Database', fields: ['initSQL'], forProvider: { initSQL: 'SELECT 1' }, reason: 'InvalidSpec' },
  { kind: 'Database', fields: ['metadata'], externalName: 'iso_a', reason: 'AlreadyManaged' },
  { kind: 'Database', fields: ['metadata'], externalName: 'postgres', reason: 'ReservedName' },
  { kind: 'Database', fields: ['metadata'], externalName: 'iso_legacy', reason: 'AlreadyExists' },
  {
    kind: 'Database',
    fields: ['metadata', 'owner', 'dropPolicy'],
    externalName: 'iso_orphan',
    isForged: true,
    forProvider: { owner: 'iso_b_owner', dropPolicy: 'Always' },
    reason: 'NotYours',
  },
];

export const schemas: Try[] = [
  ...both('Schema', 'database', 'iso_a', 'NotYours', { owner: 'iso_b_owner' }).slice(0, 1),
  { kind: 'Schema', fields: ['database'], forProvider: { database: 'iso_platform' }, reason: 'NotYours' },
  {
    kind: 'Schema',
    fields: ['metadata'],
    forProvider: { database: 'iso_a' },
    externalName: 'a_app',
    reason: 'AlreadyManaged',
  },
  ...referring('Schema', 'database', 'a-db'),
  ...both('Schema', 'owner', 'iso_a_owner', 'NotYours', { database }),
  ...both('Schema', 'owner', 'iso_dba', 'NotYours', { database }),
  ...referring('Schema', 'owner', 'a-owner', { database }),
  {
    kind: 'Schema',
    fields: ['adopt', 'metadata', 'revokePublicOnSchema'],
    forProvider: { database, adopt: true, owner: 'iso_b_owner', revokePublicOnSchema: true },
    externalName: 'platform',
    reason: 'NotYours',
  },
  {
    kind: 'Schema',
    fields: ['metadata'],
    forProvider: { database },
    externalName: 'pg_catalog',
    reason: 'ReservedName',
  },
];

/** Two resources for one extension would refuse each other: each try has one of its own. */
const own = (extension: string): Fields => ({ database, extension });

export const extensions: Try[] = [
  { kind: 'Extension', fields: ['database'], forProvider: { ...own('hstore'), database: 'iso_a' }, reason: 'NotYours' },
  ...referring('Extension', 'database', 'a-db', { extension: 'hstore' }),
  { kind: 'Extension', fields: ['extension'], forProvider: own('dblink'), reason: 'ExtensionNotAllowed' },
  {
    kind: 'Extension',
    fields: ['cascade'],
    forProvider: { ...own('cube'), cascade: true },
    reason: 'ExtensionNotAllowed',
  },
  {
    kind: 'Extension',
    fields: ['cascade'],
    forProvider: own('seg'),
    initProvider: { cascade: true },
    reason: 'ExtensionNotAllowed',
  },
  { kind: 'Extension', fields: ['schema'], forProvider: { ...own('isn'), schema: 'pg_catalog' }, reason: 'NotYours' },
  { kind: 'Extension', fields: ['schema'], forProvider: { ...own('ltree'), schema: 'platform' }, reason: 'NotYours' },
  {
    kind: 'Extension',
    fields: ['schema'],
    forProvider: own('intarray'),
    initProvider: { schema: 'platform' },
    reason: 'NotYours',
  },
  ...referring('Extension', 'schema', 'a-schema', own('tcn')),
];
