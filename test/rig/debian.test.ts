import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { debianTools, type ToolSetName } from './debian.ts';

const run = promisify(execFile);

const programs: Record<ToolSetName, Record<string, RegExp>> = {
  'postgresql-18': { pg_dump: /\b18\.\d/, pg_restore: /\b18\.\d/, psql: /\b18\.\d/ },
  'mysql-9.7': { mysqld: /\b9\.7\./, mysql: /\b9\.7\./, mysqldump: /\b9\.7\./ },
  'mariadb-11.8': { mariadbd: /\b11\.8\./, mariadb: /\b11\.8\./, 'mariadb-dump': /\b11\.8\./ },
  'mariadb-10.11': { mariadbd: /\b10\.11\./, mariadb: /\b10\.11\./, 'mariadb-dump': /\b10\.11\./ },
};

describe.each(Object.entries(programs))('the tools %s', (name, expected) => {
  it.each(Object.entries(expected))(
    'hold a %s of that version which starts on this machine',
    async (program, version) => {
      const tools = await debianTools(name as ToolSetName);
      const { command, args } = tools.command(program);
      const { stdout } = await run(command, [...args, '--version']);
      expect(stdout).toMatch(version);
    },
  );

  it('name the program that they do not hold', async () => {
    const tools = await debianTools(name as ToolSetName);
    expect(() => tools.command('no-such-program')).toThrow(/no-such-program/);
  });
});
