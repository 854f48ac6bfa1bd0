/** Manifests for what a server has already. They take it over as it is: a plan of them changes nothing. */
import type { Managed } from '../api/kind.ts';
import type { Engine } from '../engines/engine.ts';
import type { DatabaseObserved } from '../resources/model/databases.ts';
import type { Discovery } from '../resources/model/discovery.ts';
import type { RoleObserved } from '../resources/model/roles.ts';
import type { Reader } from '../resources/planner.ts';
import type { ServerInfo } from '../resources/model/server.ts';
import { ATTRIBUTE_DEFAULTS } from '../resources/role-record.ts';
import { ANNOTATION } from '../runtime/managed/annotations.ts';
import { importedGrants } from './import-grants.ts';

export interface ImportOptions {
  namespace: string;
  providerConfig: { kind: string; name: string };
}

export interface Imported {
  manifests: Managed[];
  /** What was left out, and why. */
  notes: string[];
}

type Fields = Record<string, unknown>;

/** Throws when the engine cannot list what it has. */
export async function importServer(engine: Engine, reader: Reader, options: ImportOptions): Promise<Imported> {
  if (engine.discover === undefined)
    throw new Error(`${reader.server.product}: there is no import for this engine yet`);
  const found = await engine.discover();
  const names = new Names(options);
  const notes = (found.unread ?? []).map(({ name, why }) => `database ${JSON.stringify(name)} is left out: ${why}`);
  const manifests: Managed[] = [];
  const isOthers = (what: string, mark: { resource: string } | undefined): boolean => {
    if (mark !== undefined) notes.push(`${what} is managed by ${mark.resource} already: left out`);
    return mark !== undefined;
  };
  const roles = await Promise.all(found.roles.map(async (role) => await reader.read('role', role)));
  for (const role of roles)
    if (role !== undefined && !isOthers(`role ${JSON.stringify(role.name)}`, role.mark))
      manifests.push(names.resource('Role', role.name, roleFields(role, reader.server)));
  for (const { name, schemas, extensions } of found.databases) {
    const database = await reader.read('database', { name });
    if (database === undefined) continue;
    if (!isOthers(`database ${JSON.stringify(name)}`, database.mark))
      manifests.push(names.resource('Database', name, databaseFields(database, reader.server)));
    for (const of of schemas) {
      const schema = await reader.read('schema', { database: name, name: of });
      if (schema !== undefined && !isOthers(`schema ${JSON.stringify(of)} of ${JSON.stringify(name)}`, schema.mark))
        manifests.push(
          names.resource('Schema', of, { database: name, owner: schema.owner, adopt: true }, `${name}-${of}`),
        );
    }
    for (const { name: extension, schema } of extensions) {
      const observed = await reader.read('extension', { database: name, name: extension });
      if (
        !('version' in observed) ||
        isOthers(`extension ${JSON.stringify(extension)} of ${JSON.stringify(name)}`, observed.mark)
      )
        continue;
      manifests.push(
        names.resource('Extension', `${name}-${extension}`, { database: name, extension, schema, adopt: true }),
      );
    }
  }
  manifests.push(...rightsOf(found, names));
  return { manifests, notes };
}

function rightsOf(found: Discovery, names: Names): Managed[] {
  const rights = [...found.rights, ...found.databases.flatMap((database) => database.rights)];
  const grants = importedGrants(rights).map((fields) =>
    names.resource('Grant', [fields['role'], fields['database'] ?? 'server'].join('-'), fields),
  );
  const defaults = found.databases.flatMap(({ name: database, defaults: rules }) =>
    rules.map(({ creator, grantee, objectType, schema, privileges, withOption }) => {
      const role = grantee.public === true ? 'PUBLIC' : grantee.name;
      return names.resource('DefaultPrivileges', `${role}-${database}-${creator}-${objectType}`, {
        database,
        targetRole: creator,
        role,
        ...(schema === undefined ? {} : { schema }),
        objectType,
        privileges,
        ...(withOption ? { withOption } : {}),
      });
    }),
  );
  return [...grants, ...defaults];
}

function roleFields(observed: RoleObserved, { accounts }: ServerInfo): Fields {
  const { attributes, connectionLimit, validUntil, settings, memberOf } = observed;
  const differing = Object.entries(attributes).filter(
    ([name, value]) => name === 'login' || value !== ATTRIBUTE_DEFAULTS[name as keyof typeof ATTRIBUTE_DEFAULTS],
  );
  const groups = Map.groupBy(memberOf, ({ role }) => role);
  return {
    privileges: Object.fromEntries(differing),
    ...(connectionLimit === undefined || connectionLimit === -1 ? {} : { connectionLimit }),
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(settings.length === 0 ? {} : { configurationParameters: settings }),
    ...(groups.size === 0
      ? {}
      : {
          memberOf: [...groups].map(([role, held]) => ({
            role,
            ...(held.some(({ admin }) => admin === true) ? { admin: true } : {}),
            // Where it is a list of its own, a group that is on it is what one says nothing about.
            ...(accounts !== undefined && held.every(({ inherit }) => inherit !== true) ? { inherit: false } : {}),
          })),
        }),
    ...accountFields(observed),
    adopt: true,
  };
}

/** How a login is on servers where it is an account; its password and plugin stay as they are. */
function accountFields({ name, host, account }: RoleObserved): Fields {
  const { require = { type: 'NONE' }, limits = {}, locked, passwordLifetimeDays } = account ?? {};
  const limited = Object.entries(limits).filter(([, value]) => value > 0);
  return {
    // With an @ in the name, one could not tell where the host begins.
    ...(host === undefined || (host === '%' && !name.includes('@')) ? {} : { host }),
    ...(require.type === 'NONE' ? {} : { require }),
    ...(limited.length === 0 ? {} : { resourceOptions: Object.fromEntries(limited) }),
    ...(locked === true ? { accountLocked: true } : {}),
    ...(passwordLifetimeDays === null ? {} : { passwordLifetimeDays }),
  };
}

function databaseFields(observed: DatabaseObserved, { accounts }: ServerInfo): Fields {
  if (accounts !== undefined)
    return {
      characterSet: observed.encoding,
      collation: observed.collation,
      ...(observed.comment ? { comment: observed.comment } : {}),
      adopt: true,
    };
  const { owner, encoding, collation, characterClassification, localeProvider, locale, icuRules } = observed;
  const { tablespace, allowConnections, connectionLimit, isTemplate, settings = [] } = observed;
  return {
    owner,
    encoding,
    collation,
    ...(characterClassification === collation ? {} : { characterClassification }),
    ...(localeProvider === undefined || localeProvider === 'libc' ? {} : { localeProvider, locale, icuRules }),
    ...(tablespace === 'pg_default' ? {} : { tablespace }),
    ...(allowConnections === false ? { allowConnections } : {}),
    ...(connectionLimit === undefined || connectionLimit === -1 ? {} : { connectionLimit }),
    ...(isTemplate === true ? { isTemplate } : {}),
    ...(settings.length === 0 ? {} : { settings }),
    adopt: true,
  };
}

/** Names that Kubernetes takes, each given once for a kind. */
class Names {
  readonly #options: ImportOptions;
  readonly #taken = new Set<string>();

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  /** `external`: the name on the server, of kinds that have one. */
  resource(kind: string, external: string, forProvider: Fields, like = external): Managed {
    const name = this.#free(kind, like);
    const isNamed = ['Role', 'Database', 'Schema'].includes(kind) && name !== external;
    return {
      apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
      kind,
      metadata: {
        namespace: this.#options.namespace,
        name,
        ...(isNamed ? { annotations: { [ANNOTATION.externalName]: external } } : {}),
      },
      spec: { forProvider: withoutAbsent(forProvider), providerConfigRef: this.#options.providerConfig },
    } as Managed;
  }

  #free(kind: string, like: string): string {
    const base =
      like
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '-')
        .replaceAll(/^-+|-+$/g, '')
        .slice(0, 200)
        .replace(/-+$/, '') || 'unnamed';
    let name = base;
    for (let n = 2; this.#taken.has(`${kind}/${name}`); n += 1) name = `${base}-${n}`;
    this.#taken.add(`${kind}/${name}`);
    return name;
  }
}

const withoutAbsent = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
