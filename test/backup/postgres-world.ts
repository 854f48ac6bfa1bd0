/** A PostgreSQL database with everything that a dump must carry. */
import type { ToolServer } from '../../provider/backup/tools/tool.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';

export const ROWS = 200_000;

/** Rows over several schemas, odd names, large values, routines, triggers, sequences, views and large objects. */
export async function fill(server: PostgresClient, database: string, rows = ROWS): Promise<void> {
  await server.query(
    `
    create schema app1;
    create schema "Odd ""schema"" 'x'";
    create sequence app1.numbers start 1000;
    create table public.people (id bigint primary key default nextval('app1.numbers'), name text not null, note text);
    insert into public.people (name, note)
      select 'name ' || n, repeat(md5(n::text), 3) || E'\\\\ \\t \\n \\r ü \\x01 ''"\`;' from generate_series(1, ${rows / 2}) n;
    create table app1.events (id int primary key, at timestamptz default '2026-01-01', payload jsonb);
    insert into app1.events select n, default_at, jsonb_build_object('n', n, 'text', E'line\\nbreak')
      from generate_series(1, ${rows / 2 - 10}) n, (values ('2026-01-01'::timestamptz)) as d (default_at);
    create table "Odd ""schema"" 'x'"."ta ble;--" ("co\`l" text, "ü" bytea);
    insert into "Odd ""schema"" 'x'"."ta ble;--" select repeat('x', 1000000) || n, decode(repeat('00ff0a5c', 1000), 'hex')
      from generate_series(1, 10) n;
    create table app1.empty (id int);
    create table app1.parted (id int, part int) partition by list (part);
    create table app1.parted_1 partition of app1.parted for values in (1);
    create view app1.names as select name from public.people;
    create materialized view app1.counted as select count(*) from public.people;
    create function app1.one() returns int language sql as 'select 1';
    create function app1.stamp() returns trigger language plpgsql as
      $$ begin new.payload := new.payload || '{"stamped": true}'; return new; end $$;
    create trigger stamp before insert on app1.events for each row execute function app1.stamp();
    create extension pgcrypto;
    comment on extension pgcrypto is 'said by an administrator';
    select lo_from_bytea(0, decode(repeat('0a0d00ff', 100000), 'hex'));
  `,
    [],
    database,
  );
}

/** What is in a database, table by table: rows, and a digest of their text in order. */
export async function contents(server: PostgresClient, database: string): Promise<Record<string, string>> {
  const tables = await server.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
    [],
    database,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await server.query<{ said: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as said from only ${name} t`,
      [],
      database,
    );
    found[name] = row?.said ?? '';
  }
  const [objects] = await server.query<{ said: string }>(
    `select (select count(*) from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname = 'app1') || ' routines, '
       || (select count(*) from pg_trigger where not tgisinternal) || ' triggers, '
       || (select string_agg(lomd5, ',') from (select md5(lo_get(oid)) as lomd5 from pg_largeobject_metadata) l) || ' large objects, '
       || (select last_value from app1.numbers) || ' sequence, '
       || (select count(*) from app1.names) || ' in the view, ' || (select count from app1.counted) || ' counted' as said`,
    [],
    database,
  );
  found['objects'] = objects?.said ?? '';
  return found;
}

export const toolServer = (
  server: PostgresClient,
  database: string,
  login: { name: string; password: string } = { name: server.adminUser, password: server.password },
): ToolServer => ({
  host: server.host,
  port: server.port,
  username: login.name,
  password: login.password,
  database,
  version: server.version,
  tls: { mode: 'disable' },
});
