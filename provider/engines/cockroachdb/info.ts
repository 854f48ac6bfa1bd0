/** What the server is and what its administrator may do. */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Session } from '../postgres/session.ts';
import { withInternals } from './internals.ts';
import { textArray } from './rows.ts';

/** Whose external connections can be read back, and whose old BACKUP statements are gone. */
const MINIMUM = { versionNumber: 240_300, label: '24.3' };

export async function readInfo(session: Session): Promise<ServerInfo> {
  const [row] = await session.query('SELECT version() AS version, current_user AS name', []);
  const version = String(row?.['version']);
  const name = String(row?.['name']);
  const [, number = '', major = '0', minor = '0', patch = '0'] =
    /^CockroachDB\D*?v((\d+)\.(\d+)\.(\d+)\S*)/.exec(version) ?? [];
  if (number === '')
    throw new ResourceError('WrongEngine', `the server is not CockroachDB: it says ${version.split(/ on |,/, 1)[0]}`, {
      retryable: false,
    });
  const versionNumber = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  if (versionNumber < MINIMUM.versionNumber)
    throw new ResourceError(
      'VersionTooOld',
      `the server is CockroachDB ${number}; the oldest supported is ${MINIMUM.label}`,
      { retryable: false },
    );
  const roles = await session.query('SELECT username, options, member_of FROM [SHOW ROLES]', []);
  const known = new Map(roles.map((role) => [role['username'] as string, role]));
  const groups = new Set([name]);
  for (const group of groups) for (const next of textArray(known.get(group)?.['member_of'])) groups.add(next);
  const options = textArray(known.get(name)?.['options']);
  // The same for every node of one cluster.
  const [identity] = await withInternals(
    session,
    versionNumber,
    async () => await session.query('SELECT crdb_internal.cluster_id()::text AS id', []),
  ).catch(() => []);
  const systemIdentifier = identity?.['id'];
  return {
    engine: 'cockroachdb',
    product: `CockroachDB ${number}`,
    versionNumber,
    major: Number(major),
    admin: {
      name,
      superUser: groups.has('admin'),
      createRole: options.includes('CREATEROLE'),
      createDb: options.includes('CREATEDB'),
    },
    restrictsDrops: true,
    // COMMENT ON knows no roles there.
    unmarked: ['Role'],
    ...(typeof systemIdentifier === 'string' ? { systemIdentifier } : {}),
  };
}
