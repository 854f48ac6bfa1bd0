/** What is observed of databases and of what is in them. */
import type { Mark } from './objects.ts';

export interface Setting {
  name: string;
  value: string;
}

/** What the server says of a setting of sessions. */
export interface SettingObserved {
  /** Whether every session may change it for itself, without any right. False for what the server does not know. */
  anybodyMaySet: boolean;
}

export interface DatabaseObserved {
  name: string;
  owner: string;
  encoding: string;
  collation: string;
  characterClassification?: string;
  localeProvider?: string;
  locale?: string;
  icuRules?: string;
  tablespace?: string;
  comment?: string;
  allowConnections?: boolean;
  connectionLimit?: number;
  isTemplate?: boolean;
  settings?: Setting[];
  /** The login of its initSQL, which is dropped when that is over: one that is there was left behind. */
  scriptLogin?: string;
  mark?: Mark;
}

export interface SchemaObserved {
  database: string;
  name: string;
  owner: string;
  mark?: Mark;
  publicPrivileges: string[];
}

export interface ExtensionObserved {
  database: string;
  name: string;
  version: string;
  schema: string;
  mark?: Mark;
  available: string[];
}

/** What an object holds, for dropPolicy WhenEmpty. */
export interface Contents {
  empty: boolean;
  /** e.g. "3 tables, 1 sequence" */
  summary: string;
}
