import { mariadbTools } from './mariadb.ts';
import { mysqlTools } from './mysql.ts';
import { postgresTools } from './postgres.ts';
import type { ToolsByEngine } from './tool.ts';

export const tools: ToolsByEngine = { postgres: postgresTools, mysql: mysqlTools, mariadb: mariadbTools };
