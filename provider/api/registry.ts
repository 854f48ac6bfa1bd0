/** Every kind, by name and in the order of the documentation. */
import { BackupKind } from './backup.ts';
import { BackupScheduleKind } from './backup-schedule.ts';
import { CopyKind } from './copy.ts';
import { CopyScheduleKind } from './copy-schedule.ts';
import { DatabaseKind } from './database.ts';
import { DefaultPrivilegesKind } from './default-privileges.ts';
import { ExtensionKind } from './extension.ts';
import { GrantKind } from './grant.ts';
import { apiVersion, type KindDefinition } from './kind.ts';
import { ClusterProviderConfigKind, ProviderConfigKind } from './provider-config.ts';
import { ProviderConfigUsageKind } from './provider-config-usage.ts';
import { RestoreKind } from './restore.ts';
import { RestoreScheduleKind } from './restore-schedule.ts';
import { RoleKind } from './role.ts';
import { SchemaKind } from './schema.ts';

export const kinds: readonly KindDefinition[] = [
  ProviderConfigKind,
  ClusterProviderConfigKind,
  ProviderConfigUsageKind,
  DatabaseKind,
  SchemaKind,
  ExtensionKind,
  RoleKind,
  GrantKind,
  DefaultPrivilegesKind,
  BackupKind,
  BackupScheduleKind,
  RestoreKind,
  RestoreScheduleKind,
  CopyKind,
  CopyScheduleKind,
] as readonly KindDefinition[];

/** The kinds that stand for something on a server. */
export const managedKinds: readonly KindDefinition[] = kinds.filter((kind) => kind.managed);

/** The kind that a manifest names, or undefined when it is none of ours. */
export const kindByName = (version: string, kind: string): KindDefinition | undefined =>
  kinds.find((definition) => definition.kind === kind && apiVersion(definition) === version);
