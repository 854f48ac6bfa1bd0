/** What namespace b tries, and the ways in which tries are written down. */
export interface Try {
  kind: string;
  /** The fields of the kind that this is about; `metadata` for the name on the server. */
  fields: readonly string[];
  forProvider?: Record<string, unknown>;
  initProvider?: Record<string, unknown>;
  externalName?: string;
  /** With annotations that say that the object was made by this resource. */
  isForged?: boolean;
  /** Reason of Synced=False. */
  reason: string;
}

export type Fields = Record<string, unknown>;

/** Namespace b's own, which makes a try valid but for the one field that it is about. */
export const database = 'iso_b';
export const role = 'iso_b_app';
export const SCHEMA = { database, schema: 'b_app' };

/** As forProvider, and as initProvider over what the kind needs. */
export const both = (kind: string, field: string, value: unknown, reason: string, needed: Fields = {}): Try[] => [
  { kind, fields: [field], forProvider: { ...needed, [field]: value }, reason },
  { kind, fields: [field], forProvider: needed, initProvider: { [field]: value }, reason },
];

/** A reference or a selector finds what is in the same namespace only. */
export const referring = (kind: string, field: string, name: string, needed: Fields = {}): Try[] => [
  {
    kind,
    fields: [`${field}Ref`],
    forProvider: { ...needed, [`${field}Ref`]: { name } },
    reason: 'ReferenceNotFound',
  },
  {
    kind,
    fields: [`${field}Selector`],
    forProvider: { ...needed, [`${field}Selector`]: { matchLabels: { team: 'a' } } },
    reason: 'ReferenceNotFound',
  },
];

export const withSetting = (kind: string, field: string, name: string): Try[] =>
  both(kind, field, [{ name, value: 'on' }], 'SettingNotAllowed').map((tried) => ({
    ...tried,
    fields: [`${field}[].name`, `${field}[].value`],
  }));

/** What only a superuser may set, what a module may turn out to keep for superusers, and what only looks like a setting. */
export const SETTINGS = [
  'log_statement',
  'session_preload_libraries',
  'session_replication_role',
  'lo_compat_privileges',
  'shared_preload_libraries',
  'plperl.on_plperl_init',
  'app.tenant',
  'role',
  'session_authorization',
];
