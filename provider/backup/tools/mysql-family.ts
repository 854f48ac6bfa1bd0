/** What the dump and load scripts of MySQL and MariaDB have in common. */
import { authority } from './authority.ts';
import { dumpScript, loadScript } from './script.ts';
import type { EngineTools, LoadOptions, ToolContainer, ToolFolders, ToolServer } from './tool.ts';

export interface Family {
  /** Shell words that find the programs: set `dump` and `client`. */
  programs: string;
  /** Options of the dump program beyond the common ones, from a fixed list. */
  dumpOptions: string;
  /** Lines of the option file that say how TLS is spoken. */
  tls(server: ToolServer, folders: ToolFolders): string[];
  image(version: string): string;
}

/** No option file but ours is read. It may be group-readable; the programs only refuse what everybody may write. */
const OPTIONS = '--defaults-file="$XDB_SECRETS/client.cnf"';

/**
 * Rows, from one snapshot, with everything that belongs to a database. Nothing of other databases, of accounts, of
 * replication or of tablespaces, which an ordinary login could not load. No DROP TABLE either: what is loaded into must not
 * lose what it has.
 */
const DUMP_OPTIONS =
  '--single-transaction --quick --routines --events --triggers --hex-blob --no-tablespaces --skip-lock-tables --skip-add-locks --skip-add-drop-table --default-character-set=utf8mb4 --tz-utc';

/** One value of an option file. */
const quoted = (value: string): string =>
  `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}"`;

function optionFile(server: ToolServer, folders: ToolFolders, family: Family): string {
  return `${[
    '[client]',
    `host=${quoted(server.host)}`,
    `port=${server.port}`,
    'protocol=tcp',
    `user=${quoted(server.username)}`,
    ...(server.password === undefined ? [] : [`password=${quoted(server.password)}`]),
    ...(authority(server.tls) === undefined ? [] : [`ssl-ca=${quoted(`${folders.secrets}/ca.crt`)}`]),
    ...(server.tls.cert === undefined ? [] : [`ssl-cert=${quoted(`${folders.secrets}/client.crt`)}`]),
    ...(server.tls.key === undefined ? [] : [`ssl-key=${quoted(`${folders.secrets}/client.key`)}`]),
    ...family.tls(server, folders),
  ].join('\n')}\n`;
}

function container(
  script: string,
  server: ToolServer,
  folders: ToolFolders,
  family: Family,
  options: LoadOptions,
): ToolContainer {
  const { tls } = server;
  const ca = authority(tls);
  return {
    image: family.image(server.version),
    command: ['/bin/sh', '-c', script],
    env: {
      XDB_WORK: folders.work,
      XDB_SECRETS: folders.secrets,
      XDB_DATABASE: server.database,
      ...(options.requireEmpty === true ? { XDB_REQUIRE_EMPTY: '1' } : {}),
      ...(options.countRows === true ? { XDB_COUNT_ROWS: '1' } : {}),
    },
    files: {
      'client.cnf': optionFile(server, folders, family),
      ...(ca === undefined ? {} : { 'ca.crt': ca }),
      ...(tls.cert === undefined ? {} : { 'client.crt': tls.cert }),
      ...(tls.key === undefined ? {} : { 'client.key': tls.key }),
      ...(options.transformSQL === undefined ? {} : { 'transform.sql': options.transformSQL }),
    },
  };
}

/** Every statement that counts one table, written by the server, which quotes the names and says them in hexadecimal. */
const COUNT_STATEMENTS = `SELECT CONCAT('SELECT CONCAT(COUNT(*), CHAR(9), ', QUOTE(HEX(TABLE_SCHEMA)), ', CHAR(9), ', QUOTE(HEX(TABLE_NAME)), ') FROM \\\`', REPLACE(TABLE_NAME, '\\\`', '\\\`\\\`'), '\\\`;') FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME`;

const IS_EMPTY = `SELECT NOT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()) AND NOT EXISTS (SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())`;

/** The programs write 4 KiB at a time, and each time wake the runner; the FIFO holds 64. Some images have no such program. */
const BUFFERED = `buffered=
! command -v stdbuf >/dev/null || buffered='stdbuf --output=65536'`;

export function familyTools(family: Family): EngineTools {
  const dump = dumpScript(
    `${family.programs}\n${BUFFERED}`,
    '"$dump" --version',
    `exec $buffered "$dump" ${OPTIONS} ${DUMP_OPTIONS} ${family.dumpOptions} -- "$XDB_DATABASE"`,
  );
  // In binary mode the client knows no command of its own but DELIMITER: nothing in a dump can reach a shell or a file.
  const client = `"$client" ${OPTIONS} --batch --binary-mode --default-character-set=utf8mb4 --max-allowed-packet=1G --database="$XDB_DATABASE"`;
  const load = loadScript({
    prepare: family.programs,
    version: '"$client" --version',
    isEmpty: `${client} --skip-column-names --execute="${IS_EMPTY}"`,
    tool: `exec ${client}`,
    after: `if [ -f "$XDB_SECRETS/transform.sql" ]; then
    ${client} <"$XDB_SECRETS/transform.sql" >/dev/null || return 3
  fi
  if [ "\${XDB_COUNT_ROWS:-}" = 1 ]; then
    ${client} --skip-column-names --raw --execute="${COUNT_STATEMENTS}" >"$private/counts" || return 3
    ${client} --skip-column-names --raw <"$private/counts" >rows.new || return 3
    mv rows.new rows
  fi`,
  });
  return {
    extension: 'sql',
    knowsServerName: false,
    dump: (server, folders) => container(dump, server, folders, family, {}),
    load: (server, folders, options = {}) => container(load, server, folders, family, options),
  };
}
