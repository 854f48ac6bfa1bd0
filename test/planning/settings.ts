/** How the product is told to log in to a server of the rig. */
import { Secret } from '../../provider/common/secret.ts';
import type { ConnectionSettings } from '../../provider/engines/engine.ts';
import { MysqlClient } from '../rig/mysql-client.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';

/** As its administrator and without TLS, unless `change` says otherwise. */
export function settingsOf(
  server: PostgresClient | MysqlClient,
  change: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  const isMysql = server instanceof MysqlClient;
  return {
    engine: isMysql ? server.flavour : 'postgres',
    host: server.host,
    port: server.port,
    username: server.adminUser,
    password: new Secret(server.password),
    database: isMysql ? '' : 'postgres',
    tls: { mode: 'disable' },
    connectionLimit: 4,
    ...change,
  };
}
