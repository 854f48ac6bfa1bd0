import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../common/secret.ts';
import { buildConnectionDetails, type ConnectionParts } from './connection-details.ts';

const parts: ConnectionParts = {
  engine: 'postgres',
  host: 'db.example',
  port: 5432,
  username: 'app',
  password: new Secret('p@ss'),
  database: 'orders',
  tlsMode: 'verify-full',
};

const text = (details: Record<string, string | Secret>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(details).map(([key, value]) => [key, value instanceof Secret ? value.reveal() : value]),
  );

test('a PostgreSQL login gets its parts, and strings for drivers and for psql (F63)', () => {
  expect(text(buildConnectionDetails(parts))).toEqual({
    endpoint: 'db.example',
    port: '5432',
    username: 'app',
    password: 'p@ss',
    database: 'orders',
    uri: 'postgresql://app:p%40ss@db.example:5432/orders?sslmode=verify-full',
    jdbcUrl: 'jdbc:postgresql://db.example:5432/orders?user=app&password=p%40ss&sslmode=verify-full',
    PGHOST: 'db.example',
    PGPORT: '5432',
    PGUSER: 'app',
    PGPASSWORD: 'p@ss',
    PGDATABASE: 'orders',
    PGSSLMODE: 'verify-full',
  });
});

test('a MySQL login gets the names that its programs read', () => {
  expect(text(buildConnectionDetails({ ...parts, engine: 'mysql', port: 3306 }))).toMatchObject({
    uri: 'mysql://app:p%40ss@db.example:3306/orders',
    jdbcUrl: expect.stringContaining('&sslMode=VERIFY_IDENTITY') as string,
    MYSQL_HOST: 'db.example',
    MYSQL_TCP_PORT: '3306',
    MYSQL_PWD: 'p@ss',
  });
});

test('every value with the password in it is a Secret', () => {
  const details = buildConnectionDetails({ ...parts, password: new Secret('visible?') });
  expect(JSON.stringify(details)).not.toContain('visible');
});

test('what is not known is not there: no empty values, no "undefined"', () => {
  const { username: _, password: __, database: ___, ...server } = parts;
  expect(buildConnectionDetails(server)).toEqual({ endpoint: 'db.example', port: '5432' });
  const group = text(buildConnectionDetails({ ...server, username: 'readers' }));
  expect(group['uri']).toBe('postgresql://readers@db.example:5432?sslmode=verify-full');
  expect(Object.values(group).join()).not.toContain('undefined');
});

test('an address of IPv6 is in brackets where a port follows', () => {
  const details = text(buildConnectionDetails({ ...parts, host: '::1' }));
  expect(details['uri']).toContain('@[::1]:5432/');
  expect(details['PGHOST']).toBe('::1');
});

describe('any name and password', () => {
  const printable = fc.string({ unit: 'grapheme', minLength: 1 });

  test('come out of the URI as they went in (B74)', () => {
    fc.assert(
      fc.property(printable, printable, printable, (username, password, database) => {
        const details = text(buildConnectionDetails({ ...parts, username, password: new Secret(password), database }));
        const [, name, secret, path] = /^postgresql:\/\/([^:@/]*):([^:@/]*)@db\.example:5432\/([^/?]*)\?/.exec(
          details['uri']!,
        )!;
        expect([name, secret, path].map((value) => decodeURIComponent(value!))).toEqual([username, password, database]);
        // As strict parsers have it.
        expect(decodeURIComponent(new URL(details['uri']!).password)).toBe(password);
      }),
    );
  });

  test('come out of the JDBC URL as they went in', () => {
    fc.assert(
      fc.property(printable, printable, (username, password) => {
        const details = text(buildConnectionDetails({ ...parts, username, password: new Secret(password) }));
        const query = new URL(details['jdbcUrl']!.replace('jdbc:', '')).searchParams;
        expect([query.get('user'), query.get('password')]).toEqual([username, password]);
      }),
    );
  });
});
