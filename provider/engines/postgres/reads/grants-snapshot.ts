/** The rows of the grants statement, arranged so that thousands of queries are answered without copying them. */
import type { AuthorityAcl, GrantOption, HeldPrivilege, Reach } from '../../../resources/grant-authority.ts';
import type { ObjectTarget, ObjectType } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';

export const PUBLIC_OID = '0';

/** column, privilege, grantable, grantor's oid, whether the grantor acts as the owner. */
type Right = [string | null, string, boolean, string, boolean];

interface ObjectBody {
  type: ObjectType;
  place: string;
  name: string;
  args: string[] | null;
  owner: string;
  /** Who holds which rights; roles by oid, which no name can confuse. */
  acl: [grantees: string[], rights: Right[]][];
  owners: string[];
}

interface RoleBody extends Reach {
  oid: string;
  name: string;
}

/** What the catalogs call the object. */
export function nameOf({ type, database, schema, name }: ObjectTarget): string {
  if (type === 'database') return database ?? '';
  if (type === 'schema') return schema ?? '';
  return type === 'parameter' ? (name ?? '').toLowerCase() : (name ?? '');
}

/** The schema that the object is in, where its type lives in one. */
export const placeOf = ({ type, schema }: ObjectTarget): string => (type === 'schema' ? '' : (schema ?? ''));

const keyOf = (type: ObjectType, place: string, name: string): string => JSON.stringify([type, place, name]);

export class GrantsSnapshot {
  current = '';
  readonly databases = new Set<string>();
  readonly schemas = new Set<string>();
  readonly grantees = new Map<string, string>();
  readonly grantors = new Set<string>();
  readonly reach: Record<string, Reach> = {};
  readonly roles = new Map<string, RoleBody>();
  readonly #columns = new Set<string>();
  readonly #objects = new Map<string, FoundObject[]>();
  readonly #admin: string;

  constructor(rows: readonly Record<string, unknown>[], info: ServerInfo) {
    this.#admin = info.admin.name;
    for (const { kind, body } of rows) this.#collect(String(kind), body);
    // One order for everybody: two plans then never wait for each other's locks.
    for (const list of this.#objects.values()) list.sort((a, b) => (a.order < b.order ? -1 : 1));
  }

  find(target: ObjectTarget): readonly FoundObject[] {
    return this.#objects.get(keyOf(target.type, placeOf(target), nameOf(target))) ?? [];
  }

  hasColumn({ schema, name }: ObjectTarget, column: string): boolean {
    return this.#columns.has(JSON.stringify([schema, name, column]));
  }

  nameOfRole(oid: string): string {
    return this.roles.get(oid)?.name ?? oid;
  }

  mayAct(oid: string): boolean {
    const role = this.roles.get(oid);
    return role !== undefined && (role.inherit || role.set || role.borrow || role.name === this.#admin);
  }

  #collect(kind: string, body: unknown): void {
    if (kind === 'current') this.current = String(body);
    else if (kind === 'database') this.databases.add(String(body));
    else if (kind === 'schema') this.schemas.add(String(body));
    else if (kind === 'grantor') this.grantors.add(String(body));
    else if (kind === 'column') this.#columns.add(JSON.stringify(body));
    else if (kind === 'grantee') this.#collectGrantee(body as [string, string]);
    else if (kind === 'role') this.#collectRole(body as RoleBody & { as: string | null });
    else this.#collectObject(body as ObjectBody);
  }

  #collectGrantee([oid, name]: [string, string]): void {
    this.grantees.set(name, oid);
  }

  #collectRole({ as, ...role }: RoleBody & { as: string | null }): void {
    const { inherit, set, borrow } = role;
    this.roles.set(role.oid, role);
    this.reach[role.name] = { inherit, set, borrow, ...(as === null ? {} : { as }) };
  }

  #collectObject(body: ObjectBody): void {
    const found = new FoundObject(body, this);
    for (const key of new Set([keyOf(body.type, body.place, body.name), keyOf(body.type, body.place, '*')])) {
      const list = this.#objects.get(key);
      if (list === undefined) this.#objects.set(key, [found]);
      else list.push(found);
    }
  }
}

/** One object; what many grantees hold alike is one thing in memory. */
export class FoundObject {
  readonly order: string;
  readonly args: readonly string[] | null;
  readonly #body: ObjectBody;
  readonly #snapshot: GrantsSnapshot;
  readonly #rightsOf = new Map<string, Right[]>();
  readonly #acls = new Map<readonly Right[], AuthorityAcl>();
  #options: GrantOption[] | undefined;

  constructor(body: ObjectBody, snapshot: GrantsSnapshot) {
    this.order = `${body.name} ${body.args?.join() ?? ''}`;
    this.args = body.args;
    this.#body = body;
    this.#snapshot = snapshot;
    for (const [grantees, rights] of body.acl) for (const grantee of grantees) this.#rightsOf.set(grantee, rights);
  }

  /** A batch is of one database, so the acl of a grantee is always asked for with the same one. */
  aclOf(database: string | undefined, grantee: string | undefined): AuthorityAcl {
    const rights = (grantee === undefined ? undefined : this.#rightsOf.get(grantee)) ?? NO_RIGHTS;
    const known = this.#acls.get(rights);
    if (known !== undefined) return known;
    const acl = {
      target: this.#target(database),
      owner: this.#snapshot.nameOfRole(this.#body.owner),
      privileges: rights.map((right) => this.#privilege(right)),
      options: (this.#options ??= this.#optionsOf()),
    };
    this.#acls.set(rights, acl);
    return acl;
  }

  #target(database: string | undefined): ObjectTarget {
    const { type, place, name, args } = this.#body;
    const within = database === undefined ? {} : { database };
    if (type === 'database') return { type, ...within };
    if (type === 'schema') return { type, ...within, schema: name };
    const schema = place === '' ? {} : { schema: place };
    return { type, ...within, ...schema, name, ...(args === null ? {} : { args }) };
  }

  #privilege([column, privilege, grantable, grantor, shadowed]: Right): HeldPrivilege {
    return {
      privilege,
      grantable,
      grantor: this.#snapshot.nameOfRole(grantor),
      ...(column === null ? {} : { column }),
      ...(shadowed ? { shadowed } : {}),
    };
  }

  #optionsOf(): GrantOption[] {
    const options: GrantOption[] = this.#body.owners.map((role) => ({ privilege: '*', role }));
    for (const [grantee, rights] of this.#rightsOf)
      if (grantee !== PUBLIC_OID && this.#snapshot.mayAct(grantee))
        for (const [column, privilege, grantable] of rights)
          if (grantable)
            options.push({
              privilege,
              role: this.#snapshot.nameOfRole(grantee),
              ...(column === null ? {} : { column }),
            });
    return options;
  }
}

const NO_RIGHTS: Right[] = [];
