/** Logs in as the roles of a claim and tries what each may and may not do. */
import { randomBytes } from 'node:crypto';
import type { Managed } from '../../provider/api/kind.ts';
import type { LocalStore } from '../../provider/local/store.ts';
import type { ProofDialect } from './dialects.ts';

/** Where a proof is made. */
export interface ProvingServer {
  readonly dialect: ProofDialect;
  queryAs(user: { name: string; password: string }, database: string, sql: string): Promise<object[]>;
}

export interface Proof {
  role: string;
  what: string;
  /** Whether it should be allowed. */
  allowed: boolean;
  ok: boolean;
  /** What the server said, when it was not as it should be. */
  detail: string;
}

type Access = 'owner' | 'readWrite' | 'readOnly';

interface Login {
  access: Access;
  name: string;
  password: string;
}

export async function proofs(
  server: ProvingServer,
  store: LocalStore,
  resources: readonly Managed[],
): Promise<Proof[]> {
  const { dialect } = server;
  const database = resources.find((resource) => resource.kind === 'Database')?.metadata.annotations?.[
    'crossplane.io/external-name'
  ];
  const schema =
    resources.find((resource) => resource.kind === 'Schema')?.metadata.annotations?.['crossplane.io/external-name'] ??
    'public';
  if (database === undefined) return [];
  const logins = loginsOf(store, resources);
  const owner = logins.find((login) => login.access === 'owner');
  if (owner === undefined) return [];
  const table = dialect.table(schema, `proof_${randomBytes(4).toString('hex')}`);
  const proven: Proof[] = [];
  const prove = async (login: Login, what: string, sql: string, allowed: boolean): Promise<void> => {
    proven.push({
      role: login.name,
      what,
      allowed,
      ...(await attempt(server, login, database, sql, allowed)),
    });
  };
  // Made after the grants: only default privileges can make it usable for the others.
  await prove(owner, 'CREATE TABLE', dialect.createTable(table), true);
  for (const login of logins.filter((candidate) => candidate !== owner)) {
    const writes = login.access !== 'readOnly';
    await prove(
      login,
      'INSERT into a table that the owner made afterwards',
      `INSERT INTO ${table} (note) VALUES ('from ${login.access}')`,
      writes,
    );
    await prove(login, 'SELECT from it', `SELECT * FROM ${table}`, true);
    await prove(login, 'UPDATE it', `UPDATE ${table} SET note = note`, writes);
    await prove(
      login,
      'CREATE TABLE',
      `CREATE TABLE ${dialect.table(schema, `not_allowed_${login.access.toLowerCase()}`)} (id int)`,
      login.access === 'owner',
    );
    await prove(login, 'DROP TABLE', `DROP TABLE ${table}`, false);
  }
  await prove(owner, 'DROP TABLE', `DROP TABLE ${table}`, true);
  return proven;
}

async function attempt(
  server: ProvingServer,
  login: Login,
  database: string,
  sql: string,
  allowed: boolean,
): Promise<{ ok: boolean; detail: string }> {
  try {
    await server.queryAs(login, database, sql);
    return allowed ? { ok: true, detail: '' } : { ok: false, detail: 'the server allowed it' };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // A refused login or a missing table would prove nothing.
    return !allowed && server.dialect.denied.has(code ?? '')
      ? { ok: true, detail: '' }
      : { ok: false, detail: `${message} (${code ?? 'no code'})` };
  }
}

/** The login roles with what they may do, as their privileges tell. */
function loginsOf(store: LocalStore, resources: readonly Managed[]): Login[] {
  return resources
    .filter((resource) => resource.kind === 'Role' && resource.spec.writeConnectionSecretToRef !== undefined)
    .map((resource) => {
      const { username = '', password = '' } = store.connectionValues(resource);
      return { name: username, password, access: accessOf(username, resources) };
    });
}

/** By the groups that it is in, that of the owner of the database or one that may insert, or by what it holds itself. */
function accessOf(username: string, resources: readonly Managed[]): Access {
  const own = resources.find(
    ({ kind, metadata }) => kind === 'Role' && metadata.annotations?.['crossplane.io/external-name'] === username,
  );
  const groups = ((own?.spec.forProvider['memberOf'] ?? []) as { role: string }[]).map(({ role }) => role);
  const owner = resources.find(({ kind }) => kind === 'Database')?.spec.forProvider['owner'];
  if (groups.includes(String(owner))) return 'owner';
  const held = resources
    .filter(({ kind, spec }) => kind === 'Grant' && [username, ...groups].includes(String(spec.forProvider['role'])))
    .map(({ spec }) => JSON.stringify(spec.forProvider));
  if (held.some((grant) => grant.includes('"ALL"'))) return 'owner';
  return held.some((grant) => grant.includes('"INSERT"')) ? 'readWrite' : 'readOnly';
}
