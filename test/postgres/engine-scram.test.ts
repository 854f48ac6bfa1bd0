/** Verifiers made here against those that the server makes of the same password. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { scramVerifier, verifies } from '../../provider/engines/postgres/scram.ts';
import { literal } from '../../provider/engines/postgres/sql.ts';
import { postgresMajors, sharedPostgres } from '../rig/servers.ts';

/** Characters for which the preparation of passwords does something, or nearly. */
const odd = fc.constantFrom(
  ...'aZ0 é ﬁ ½ ª ſ Å 　 \u00A0 \u200B \u200C \u200E \u00AD \u0301 \u2028 \uE000 \u0085 😀 𝒜 ① 한 ᄀ א ب ١ ￼ \u0221 \u{E0001} \u06DD'.split(
    ' ',
  ),
  ' ',
);
const passwords = fc.oneof(
  fc.string({ unit: odd, minLength: 1, maxLength: 6 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0')),
);

describe.each(postgresMajors)('a verifier on PostgreSQL %i', (label) => {
  const server = sharedPostgres(label);
  const { major } = server;

  test('that the server made of a password is that of the same password and of no other', async () => {
    const role = `scram_server_${major}`;
    await server.query(`CREATE ROLE ${role}`);
    try {
      await fc.assert(
        fc.asyncProperty(passwords, async (password) => {
          await server.query(`ALTER ROLE ${role} PASSWORD ${literal(password).text}`);
          const [row] = await server.query<{ stored: string }>(
            'SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1',
            [role],
          );
          expect(await verifies(new Secret(password), role, row?.stored ?? '')).toBe(true);
          expect(await verifies(new Secret(`${password}x`), role, row?.stored ?? '')).toBe(false);
        }),
        { numRuns: 300 },
      );
    } finally {
      await server.query(`DROP ROLE ${role}`);
    }
  });

  test('of ours logs in', async () => {
    const role = `scram_ours_${major}`;
    await server.query(`CREATE ROLE ${role} LOGIN`);
    try {
      for (const password of ['plain', 'ﬁne', 'é\u00A0ü', "it's", '$1%"\\']) {
        const verifier = await scramVerifier(new Secret(password));
        await server.query(`ALTER ROLE ${role} PASSWORD ${literal(verifier.reveal()).text}`);
        await expect(server.queryAs({ name: role, password }, 'postgres', 'SELECT 1 AS one')).resolves.toEqual([
          { one: 1 },
        ]);
      }
    } finally {
      await server.query(`DROP ROLE ${role}`);
    }
  });

  test('of the old md5 kind is understood', async () => {
    const role = `scram_md5_${major}`;
    await server.query(`SET password_encryption TO md5; CREATE ROLE ${role} PASSWORD 'old'; RESET password_encryption`);
    const [row] = await server.query<{ stored: string }>(
      'SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1',
      [role],
    );
    await server.query(`DROP ROLE ${role}`);
    expect(row?.stored).toMatch(/^md5/);
    expect(await verifies(new Secret('old'), role, row?.stored ?? '')).toBe(true);
    expect(await verifies(new Secret('new'), role, row?.stored ?? '')).toBe(false);
  });
});
