import { familyTools } from './mysql-family.ts';
import type { ToolServer } from './tool.ts';

const MODES: Record<ToolServer['tls']['mode'], string> = {
  disable: 'DISABLED',
  prefer: 'PREFERRED',
  require: 'REQUIRED',
  'verify-ca': 'VERIFY_CA',
  'verify-full': 'VERIFY_IDENTITY',
};

export const mysqlTools = familyTools({
  programs: 'dump=mysqldump client=mysql',
  dumpOptions: '--set-gtid-purged=OFF --column-statistics=0 --max-allowed-packet=1G',
  tls: ({ tls }) => [`ssl-mode=${MODES[tls.mode]}`],
  image: (version) => `mysql:${/^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version}`,
});
