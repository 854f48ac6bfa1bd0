/** Where backups go: URIs and external connections. */
import type { Session } from './session.ts';
import type { ExternalConnection } from './state.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

const SECRET = /(AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AZURE_ACCOUNT_KEY|CREDENTIALS)=[^&]*/g;

export const redacted = (uri: string): string => uri.replaceAll(SECRET, '$1=redacted');

/** A name as identifier, literal or parameter. */
export function connectionName(cursor: Cursor): string {
  const kind = cursor.peek?.kind;
  return kind === 'string' || kind === 'placeholder' ? cursor.string() : cursor.name();
}

const mayUse = (
  { simulator: { state }, currentUser }: Session,
  connection: ExternalConnection,
  privilege: string,
): void => {
  const holds = [...state.reach(currentUser)].some(
    (role) => connection.acl.get(role)?.has(privilege) === true || connection.acl.get(role)?.has('ALL') === true,
  );
  if (!state.isAdmin(currentUser) && !holds)
    throw new SqlError(
      '42501',
      `user ${currentUser} does not have ${privilege} privilege on external_connection ${connection.name}`,
    );
};

/** The place that a URI means, without what lets one in. */
export function placeOf(session: Session, uri: string): string {
  const external = /^external:\/\/([^/?]+)([^?]*)/.exec(uri);
  if (external === null) {
    checkUri(session, uri);
    return uri.replace(/\?.*$/, '').replace(/\/$/, '');
  }
  const [, name = '', path = ''] = external;
  const connection = session.simulator.state.connections.get(name);
  if (connection === undefined) throw new SqlError('42704', `external connection with name ${name} does not exist`);
  mayUse(session, connection, 'USAGE');
  return `${connection.uri.replace(/\?.*$/, '').replace(/\/$/, '')}${path}`.replace(/\/$/, '');
}

function checkUri({ simulator: { state, unreachable }, currentUser }: Session, uri: string): void {
  if (!/^(s3|gs|azure-blob|nodelocal|userfile|http|https|aws-kms|gcp-kms):\/\//.test(uri))
    throw new SqlError('22023', `unsupported storage scheme: ${JSON.stringify(uri.split(':')[0])}`);
  const isImplicit = /[?&](AUTH=implicit|AWS_ENDPOINT=)/.test(uri);
  if (isImplicit && !state.hasSystem(currentUser, 'EXTERNALIOIMPLICITACCESS'))
    throw new SqlError(
      '42501',
      'only users with the admin role or the EXTERNALIOIMPLICITACCESS system privilege are allowed to access the specified URI',
    );
  if (unreachable !== undefined && uri.includes(unreachable))
    throw new SqlError('58030', `failed to open external storage: connection to ${unreachable} refused`);
}

export function externalConnection(session: Session, cursor: Cursor): Result | undefined {
  const { state, version } = session.simulator;
  const verb = cursor.oneOf('create external connection', 'alter external connection', 'drop external connection');
  if (verb === undefined) return undefined;
  const action = verb.split(' ')[0];
  if (action === 'drop') {
    const name = connectionName(cursor);
    cursor.end();
    const connection = state.connections.get(name);
    if (connection === undefined) throw new SqlError('42704', `external connection with name ${name} does not exist`);
    mayUse(session, connection, 'DROP');
    state.connections.delete(name);
    return { tag: 'DROP EXTERNAL CONNECTION' };
  }
  if (action === 'alter' && version < 250_400) throw cursor.error(cursor.tokens[1]);
  const ifThere = action === 'create' ? cursor.accept('if', 'not', 'exists') : cursor.accept('if', 'exists');
  const name = connectionName(cursor);
  cursor.expect('as');
  const uri = cursor.string();
  cursor.end();
  const known = state.connections.get(name);
  if (action === 'alter') {
    if (known === undefined) {
      if (ifThere) return { tag: 'ALTER EXTERNAL CONNECTION' };
      throw new SqlError('42704', `external connection with name ${name} does not exist`);
    }
    mayUse(session, known, 'UPDATE');
    checkUri(session, uri);
    known.uri = uri;
    return { tag: 'ALTER EXTERNAL CONNECTION' };
  }
  if (!state.hasSystem(session.currentUser, 'EXTERNALCONNECTION'))
    throw new SqlError(
      '42501',
      'only users with the EXTERNALCONNECTION system privilege are allowed to CREATE EXTERNAL CONNECTION',
    );
  if (known !== undefined) {
    if (ifThere) return { tag: 'CREATE EXTERNAL CONNECTION' };
    throw new SqlError('42710', `external connection with connection name ${name} already exists`);
  }
  checkUri(session, uri);
  state.connections.set(name, {
    name,
    uri,
    owner: session.currentUser,
    acl: new Map([[session.currentUser, new Map([['ALL', true]])]]),
  });
  return { tag: 'CREATE EXTERNAL CONNECTION' };
}
