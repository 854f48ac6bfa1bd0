/** One statement: faults, the rules of transactions, and who answers it. */
import { Backend } from './backend.ts';
import { backups } from './backups.ts';
import { databases } from './databases.ts';
import { forward } from './forward.ts';
import { grants } from './grants.ts';
import { roles } from './roles.ts';
import { resultOf } from './shapes.ts';
import { show } from './show.ts';
import type { Session } from './session.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

/** What would be seen in logs, in SHOW STATEMENTS and in descriptions of jobs. */
const SECRETS = /AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|encryption_passphrase\s*=\s*'|PASSWORD\s+'/i;

const DDL = new Set(['create', 'alter', 'drop', 'grant', 'revoke', 'comment', 'reassign', 'backup', 'restore']);

/** The statement's own words, as jobs and logs show them. */
export type Handler = (session: Session, cursor: Cursor) => Promise<Result | undefined>;

export async function execute(session: Session, cursor: Cursor, isBatch: boolean): Promise<Result> {
  const { simulator } = session;
  simulator.statements.push({
    user: session.user,
    database: session.database,
    text: cursor.text,
    params: [...cursor.params],
  });
  fault(session, cursor, 'before');
  if (SECRETS.test(cursor.text)) simulator.violations.push(`a secret in the text of a statement: ${cursor.text}`);
  const result = await answer(session, cursor, isBatch);
  await result.later?.();
  fault(session, cursor, 'after');
  return result;
}

function fault(session: Session, { text }: Cursor, when: 'before' | 'after'): void {
  const { faults } = session.simulator;
  const index = faults.findIndex((candidate) => (candidate.when ?? 'before') === when && candidate.match.test(text));
  const found = faults[index];
  if (found === undefined) return;
  found.times = (found.times ?? 1) - 1;
  if (found.times <= 0) faults.splice(index, 1);
  if (found.do === 'drop') {
    session.drop();
    throw new SqlError('08006', 'dropped', { severity: 'FATAL' });
  }
  throw new SqlError(found.do.code, found.do.message);
}

async function answer(session: Session, cursor: Cursor, isBatch: boolean): Promise<Result> {
  const [first] = cursor.tokens;
  if (first === undefined) return { tag: '' };
  const isDdl = first.kind === 'word' && DDL.has(first.text);
  const notices: NonNullable<Result['notices']> = [];
  if (isDdl && (session.status !== 'I' || isBatch)) notices.push(...(await ddlInTransaction(session, cursor)));
  const result = await dispatch(session, cursor);
  return notices.length === 0 ? result : { ...result, notices: [...notices, ...(result.notices ?? [])] };
}

/** From v25.2 on DDL commits what was before it; before that a schema change in a transaction may fail at its end. */
async function ddlInTransaction(session: Session, cursor: Cursor): Promise<NonNullable<Result['notices']>> {
  // What tenants write is their own affair.
  if (session.simulator.state.isAdmin(session.user))
    session.simulator.violations.push(`schema change inside a transaction or a batch: ${cursor.text}`);
  if (session.simulator.version < 250_200) return [];
  if (session.status !== 'I') await session.backend?.run('COMMIT');
  return [
    {
      severity: 'NOTICE',
      code: '00000',
      message: 'auto-committing transaction before processing DDL due to autocommit_before_ddl setting',
    },
  ];
}

async function dispatch(session: Session, cursor: Cursor): Promise<Result> {
  const { simulator } = session;
  if (cursor.accept('show')) {
    const variable = await showVariable(session, cursor);
    return variable ?? resultOf(await show(session, cursor), simulator.version);
  }
  const control = await sessionControl(session, cursor);
  if (control !== undefined) return control;
  for (const handler of [databases, roles, grants, backups]) {
    cursor.at = 0;
    // Changes of what the simulator knows happen one after another.
    const result = await simulator.exclusively(async () => await handler(session, cursor));
    if (result !== undefined) return result;
  }
  cursor.at = 0;
  return await forward(session, cursor);
}

const VARIABLES: Readonly<Record<string, (session: Session) => string>> = {
  database: ({ database }) => database,
  application_name: ({ variables }) => variables.get('application_name') ?? '',
  server_version: () => '13.0.0',
};

async function showVariable(session: Session, cursor: Cursor): Promise<Result | undefined> {
  const name = cursor.peek?.text ?? '';
  if (cursor.tokens.length !== 2 || cursor.peek?.kind !== 'word') return undefined;
  const value = session.variables.get(name) ?? VARIABLES[name]?.(session);
  if (value === undefined) return undefined;
  cursor.at += 1;
  const row = { [name]: value };
  return await Promise.resolve(
    resultOf({ shape: 'SHOW variable', rename: name, rows: [row] }, session.simulator.version),
  );
}

/** Variables that both servers have, and that matter underneath. */
const PASSED_ON = new Set(['search_path', 'statement_timeout', 'lock_timeout', 'role', 'standard_conforming_strings']);
const KNOWN = new Set([
  ...PASSED_ON,
  'allow_role_memberships_to_change_during_transaction',
  'application_name',
  'autocommit_before_ddl',
  'client_min_messages',
  'database',
  'idle_in_transaction_session_timeout',
  'sql_safe_updates',
]);
/** Those that came later. */
const SINCE: Readonly<Record<string, number>> = { allow_unsafe_internals: 250_400, use_backups_with_ids: 260_200 };

async function sessionControl(session: Session, cursor: Cursor): Promise<Result | undefined> {
  if (cursor.accept('set')) {
    if (cursor.peek?.text === 'transaction') throw cursor.error();
    if (cursor.accept('cluster', 'setting')) return clusterSetting(session, cursor);
    cursor.accept('session');
    if (cursor.accept('role')) {
      const name = cursor.accept('none') ? session.user : cursor.name();
      cursor.end();
      return await setRole(session, name);
    }
    const name = cursor.path().join('.');
    if (!cursor.accept('=') && !cursor.accept('to')) throw cursor.error();
    const isKnown = KNOWN.has(name) || session.simulator.version >= (SINCE[name] ?? Number.POSITIVE_INFINITY);
    if (!isKnown) throw new SqlError('42704', `unrecognized configuration parameter "${name}"`);
    const rest = cursor.tokens.slice(cursor.at);
    const value = rest.map(({ text }) => text).join(', ');
    if (name === 'database') {
      await session.simulator.catalog.database(value);
      session.database = value;
      await session.backend?.close();
      session.backend = undefined;
    }
    session.variables.set(name, value);
    if (PASSED_ON.has(name)) await (await backendOf(session)).run(cursor.text);
    return { tag: 'SET' };
  }
  if (cursor.accept('reset')) {
    const name = cursor.name();
    cursor.end();
    if (name === 'role') return await setRole(session, session.user);
    session.variables.delete(name);
    if (PASSED_ON.has(name)) await (await backendOf(session)).run(`RESET ${name}`);
    return { tag: 'RESET' };
  }
  const word = cursor.oneOf('begin', 'start', 'commit', 'rollback', 'end');
  if (word === undefined) return undefined;
  if (session.status === 'I' && word !== 'begin' && word !== 'start')
    return {
      tag: word.toUpperCase(),
      notices: [{ severity: 'WARNING', code: '25P01', message: 'there is no transaction in progress' }],
    };
  return await (await backendOf(session)).run(cursor.text);
}

function clusterSetting(session: Session, cursor: Cursor): Result {
  const name = cursor.path().join('.');
  if (!cursor.accept('=') && !cursor.accept('to')) throw cursor.error();
  if (!session.simulator.state.hasSystem(session.currentUser, 'MODIFYCLUSTERSETTING'))
    throw new SqlError(
      '42501',
      'only users with the MODIFYCLUSTERSETTING privilege are allowed to SET CLUSTER SETTING',
    );
  session.simulator.settings.set(name, cursor.tokens.at(-1)?.text ?? '');
  return { tag: 'SET CLUSTER SETTING' };
}

async function setRole(session: Session, name: string): Promise<Result> {
  const { state } = session.simulator;
  if (!state.roles.has(name)) throw new SqlError('42704', `role/user "${name}" does not exist`);
  if (!state.isAdmin(session.user) && !state.reach(session.user).has(name))
    throw new SqlError('42501', `permission denied to set role "${name}"`);
  session.currentUser = name;
  const role = name === session.user ? 'NONE' : `"${name.replaceAll('"', '""')}"`;
  await (await backendOf(session)).run(`SET ROLE ${role}`);
  return { tag: 'SET' };
}

/** The session underneath, opened when it is needed first. */
export async function backendOf(session: Session): Promise<Backend> {
  if (session.backend !== undefined && !session.backend.isLost && session.backend.database === session.database)
    return session.backend;
  await session.backend?.close();
  const backend = await Backend.open(session.simulator.address, session.database, session.user);
  if (session.currentUser !== session.user)
    await backend.run(`SET ROLE "${session.currentUser.replaceAll('"', '""')}"`);
  session.backend = backend;
  return backend;
}
