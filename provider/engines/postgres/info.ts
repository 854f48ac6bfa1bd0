/** What the server is and what its administrator may do. */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Session } from './session.ts';

/** The oldest version that the tests cover. */
const MINIMUM_MAJOR = 13;

const QUERY = `SELECT version() AS version, current_setting('server_version_num') AS number, r.rolname AS name,
  r.rolsuper AS super, r.rolcreaterole AS create_role, r.rolcreatedb AS create_db
  FROM pg_roles r WHERE r.rolname = current_user`;

/** The same for every address of one server, and for its standbys. */
const IDENTITY = 'SELECT system_identifier::text AS id FROM pg_control_system()';

/** Throws WrongEngine for what speaks the same protocol. */
export function refuseOtherEngine(version: string): void {
  if (version.startsWith('CockroachDB'))
    throw new ResourceError('WrongEngine', 'the server is CockroachDB: set engine: cockroachdb', { retryable: false });
}

export async function readInfo(session: Session): Promise<ServerInfo> {
  const [row] = await session.query(QUERY, []);
  if (row === undefined) throw new ResourceError('ServerRefused', 'the server does not say who is logged in');
  const version = String(row['version']);
  refuseOtherEngine(version);
  const versionNumber = Number(row['number']);
  const major = Math.floor(versionNumber / 10_000);
  if (major < MINIMUM_MAJOR)
    throw new ResourceError(
      'VersionTooOld',
      `the server is PostgreSQL ${major}; the oldest supported is ${MINIMUM_MAJOR}`,
      { retryable: false },
    );
  // Servers that are PostgreSQL by name and not by storage do not have it.
  const [identity] = await session.query(IDENTITY, []).catch(() => []);
  const systemIdentifier = identity?.['id'];
  return {
    engine: 'postgres',
    // "PostgreSQL 18.4 on x86_64-…, compiled by …": only product and version say something.
    product: version.split(/ on |,/, 1)[0]?.trim() ?? version,
    versionNumber,
    major,
    admin: {
      name: String(row['name']),
      superUser: row['super'] === true,
      createRole: row['create_role'] === true,
      createDb: row['create_db'] === true,
    },
    ...(typeof systemIdentifier === 'string' ? { systemIdentifier } : {}),
  };
}
