/** pg_dump and pg_restore, in the custom format: uncompressed, because the runner compresses better and elsewhere. */
import { authority } from './authority.ts';
import { dumpScript, loadScript } from './script.ts';
import type { EngineTools, ToolFolders, ToolServer } from './tool.ts';

/** libpq refuses files that a group may read, which mounted ones can be. */
const PREPARE = `for file in pgpass client.key; do
  if [ -f "$XDB_SECRETS/$file" ]; then
    cp "$XDB_SECRETS/$file" "$private/$file"
    chmod 600 "$private/$file"
  fi
done
[ ! -f "$private/pgpass" ] || export PGPASSFILE="$private/pgpass"
[ ! -f "$private/client.key" ] || export PGSSLKEY="$private/client.key"
# The certificate is of another name than the host: libpq takes the name as host, and the address of the host beside it.
if [ -n "\${XDB_HOST:-}" ]; then
  addresses=$(getent ahosts "$XDB_HOST" 2>>log) || { echo "no address of $XDB_HOST is known" >>log; exit 1; }
  XDB_CONNINFO="$XDB_CONNINFO hostaddr=\${addresses%% *}"
fi`;

const DUMP = dumpScript(
  PREPARE,
  'pg_dump --version',
  'exec pg_dump --format=custom --compress=0 --no-password --dbname="$XDB_CONNINFO"',
);

/**
 * The runner chooses what of the archive is loaded (`entries`); all of it is loaded in one transaction or none. pg_restore
 * sends to the server only: nothing in an archive can reach a shell.
 */
const LOAD = loadScript({
  prepare: PREPARE,
  version: 'pg_restore --version',
  isEmpty: `psql --no-psqlrc --no-password --quiet --no-align --tuples-only --dbname="$XDB_CONNINFO" <<'END'
with own as (select oid from pg_catalog.pg_namespace where nspname not like 'pg\\_%' and nspname <> 'information_schema'),
  extensions as (select classid, objid from pg_catalog.pg_depend where deptype = 'e')
select not exists (select from pg_catalog.pg_class where relnamespace in (select oid from own)
    and ('pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, oid) not in (select classid, objid from extensions))
  and not exists (select from pg_catalog.pg_proc where pronamespace in (select oid from own)
    and ('pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, oid) not in (select classid, objid from extensions));
END`,
  tool: `set -- --single-transaction --exit-on-error --no-owner --no-privileges --no-security-labels --no-tablespaces \\
    --no-publications --no-subscriptions --no-password --dbname="$XDB_CONNINFO"
  [ -z "\${XDB_OWNER_ROLE:-}" ] || set -- "$@" --role="$XDB_OWNER_ROLE"
  [ ! -f entries ] || set -- "$@" --use-list=entries
  exec pg_restore "$@"`,
  // A command that begins with a line break is never one of psql's own: it is sent to the server as it is.
  after: `if [ -f "$XDB_SECRETS/transform.sql" ]; then
    psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 --dbname="$XDB_CONNINFO" --command="
$(cat "$XDB_SECRETS/transform.sql")" >/dev/null || return 3
  fi
  if [ "\${XDB_COUNT_ROWS:-}" = 1 ]; then
    psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname="$XDB_CONNINFO" \\
      >rows.new <<'END' || return 3
select format(E'select count(*) || E''\\t'' || %L || E''\\t'' || %L from only %I.%I',
    encode(convert_to(n.nspname::text, 'UTF8'), 'hex'), encode(convert_to(c.relname::text, 'UTF8'), 'hex'), n.nspname, c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
   and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    and d.objid = c.oid and d.deptype = 'e')
 order by 1
\\gexec
END
    mv rows.new rows
  fi`,
});

/** One value of a connection string. */
const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** One field of a password file. */
const field = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll(':', '\\:');

function environment(server: ToolServer, folders: ToolFolders): Record<string, string> {
  const { tls } = server;
  // All in one string: a database whose name looks like a connection string is not taken for one.
  const conninfo = Object.entries({
    host: tls.serverName ?? server.host,
    port: String(server.port),
    user: server.username,
    dbname: server.database,
    sslmode: tls.mode,
    application_name: 'xdatabase',
    connect_timeout: '30',
    keepalives_idle: '60',
    ...(authority(tls) === undefined ? {} : { sslrootcert: `${folders.secrets}/ca.crt` }),
    ...(tls.cert === undefined ? {} : { sslcert: `${folders.secrets}/client.crt` }),
  })
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ');
  return {
    XDB_WORK: folders.work,
    XDB_SECRETS: folders.secrets,
    XDB_CONNINFO: conninfo,
    ...(tls.serverName === undefined ? {} : { XDB_HOST: server.host }),
    PGCLIENTENCODING: 'UTF8',
  };
}

function files(server: ToolServer): Record<string, string> {
  const { tls, password } = server;
  const ca = authority(tls);
  return {
    ...(password === undefined ? {} : { pgpass: `*:*:*:*:${field(password)}\n` }),
    ...(ca === undefined ? {} : { 'ca.crt': ca }),
    ...(tls.cert === undefined ? {} : { 'client.crt': tls.cert }),
    ...(tls.key === undefined ? {} : { 'client.key': tls.key }),
  };
}

/** e.g. "postgres:18.4": the client is of the server's own version. */
const image = (version: string): string => `postgres:${/^\d+(\.\d+)*/.exec(version)?.[0] ?? version}`;

export const postgresTools: EngineTools = {
  extension: 'dump',
  knowsServerName: true,
  dump: (server, folders) => ({
    image: image(server.version),
    command: ['/bin/sh', '-c', DUMP],
    env: environment(server, folders),
    files: files(server),
  }),
  load: (server, folders, options = {}) => ({
    image: image(server.version),
    command: ['/bin/sh', '-c', LOAD],
    env: {
      ...environment(server, folders),
      ...(options.ownerRole === undefined ? {} : { XDB_OWNER_ROLE: options.ownerRole }),
      ...(options.requireEmpty === true ? { XDB_REQUIRE_EMPTY: '1' } : {}),
      ...(options.countRows === true ? { XDB_COUNT_ROWS: '1' } : {}),
    },
    files: {
      ...files(server),
      ...(options.transformSQL === undefined ? {} : { 'transform.sql': options.transformSQL }),
    },
  }),
};
