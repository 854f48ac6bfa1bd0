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
  tls: ({ tls }) => [
    `ssl-mode=${MODES[tls.mode]}`,
    // Without TLS the password is encrypted with a key that the server gives.
    ...(tls.mode === 'disable' || tls.mode === 'prefer' ? ['get-server-public-key'] : []),
  ],
  image: (version) => `mysql:${/^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version}`,
});
