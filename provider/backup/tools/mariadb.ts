import { familyTools } from './mysql-family.ts';
import type { ToolServer } from './tool.ts';

/** MariaDB's clients know encrypted with a checked certificate, encrypted without, and neither. */
const TLS: Record<ToolServer['tls']['mode'], string[]> = {
  disable: ['skip-ssl'],
  prefer: ['loose-disable-ssl-verify-server-cert'],
  require: ['ssl', 'loose-disable-ssl-verify-server-cert'],
  'verify-ca': ['ssl', 'ssl-verify-server-cert'],
  'verify-full': ['ssl', 'ssl-verify-server-cert'],
};

export const mariadbTools = familyTools({
  // Older images have the programs under MySQL's names only.
  programs: `dump=mariadb-dump client=mariadb
command -v "$dump" >/dev/null || dump=mysqldump
command -v "$client" >/dev/null || client=mysql`,
  dumpOptions: '--max-allowed-packet=1G',
  tls: ({ tls }) => TLS[tls.mode],
  image: (version) => `mariadb:${/^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version}`,
});
