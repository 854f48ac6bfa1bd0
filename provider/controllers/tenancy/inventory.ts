/** What all managed resources claim and which policy their servers have, from the caches alone. */
import { DEFAULT_PORTS } from '../../api/engines.ts';
import type { Managed } from '../../api/kind.ts';
import { GUARDED_ROLE_ATTRIBUTES } from '../../api/permissions.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { ReadStore } from '../../runtime/kube/store.ts';
import { externalNameOf } from '../../runtime/managed/annotations.ts';
import type { Claimed } from '../objects/identity.ts';
import { claimKey, configKey } from '../objects/indexes.ts';
import type { ServerPolicy } from './policy.ts';
import type { Inventory } from './tenancy.ts';

export interface InventorySources {
  /** The cache of a kind, while that kind is served. */
  store(kind: string): ReadStore | undefined;
  config(resource: Managed): ProviderConfig | undefined;
}

export class CachedInventory implements Inventory {
  readonly #sources: InventorySources;

  constructor(sources: InventorySources) {
    this.#sources = sources;
  }

  claimants(claim: Claimed): Managed[] {
    return (this.#sources.store(claim.kind)?.byIndex('claim', claimKey(claim)) ?? []) as Managed[];
  }

  namesakes(role: Managed): Managed[] {
    return (this.#sources.store('Role')?.byIndex('roleName', externalNameOf(role)) ?? []) as Managed[];
  }

  naming(kind: string, role: Claimed): Managed[] {
    return (this.#sources.store(kind)?.byIndex('needs', claimKey(role)) ?? []) as Managed[];
  }

  policy(resource: Managed): ServerPolicy | undefined {
    const config = this.#sources.config(resource);
    return config === undefined ? undefined : policyOf(config, configKey(resource));
  }
}

/**
 * Extensions that PostgreSQL itself calls trusted: safe in the hands of whoever may create objects in a database. They
 * are what tenants of a shared server get when the configuration lists none.
 */
const TRUSTED_EXTENSIONS: ReadonlySet<string> = new Set([
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'dict_int',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'isn',
  'lo',
  'ltree',
  'pg_trgm',
  'pgcrypto',
  'plpgsql',
  'seg',
  'tablefunc',
  'tcn',
  'tsm_system_rows',
  'tsm_system_time',
  'unaccent',
  'uuid-ossp',
]);

function allowedExtensions(listed: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (listed === undefined) return TRUSTED_EXTENSIONS;
  return listed.includes('*') ? undefined : new Set(listed);
}

/** An unset list means none on an isolated server; elsewhere nothing is limited, so the lists are not looked at. */
function policyOf(config: ProviderConfig, key: string): ServerPolicy {
  const { spec } = config;
  const port = spec.port ?? DEFAULT_PORTS[spec.engine];
  const attributes = spec.allowedRoleAttributes ?? [];
  const guarded: readonly string[] = GUARDED_ROLE_ATTRIBUTES;
  return {
    server: spec.endpoint === undefined ? key : `${spec.endpoint.toLowerCase()}:${port}`,
    isolated: config.kind === 'ClusterProviderConfig' && spec.isolation !== 'None',
    allowedRoleAttributes: new Set(attributes.filter((attribute) => guarded.includes(attribute))),
    allowedServerPrivileges: new Set(spec.allowedServerPrivileges?.map((privilege) => privilege.toUpperCase())),
    allowedGroups: new Set(spec.allowedServerPrivileges),
    allowedSettings: new Set(spec.allowedSettings?.map((setting) => setting.toLowerCase())),
    allowedExtensions: allowedExtensions(spec.allowedExtensions),
  };
}
