import { expect, test } from 'vitest';
import { parseServerUrl } from './server-url.ts';

test.each(['ssl-mode=REQUIRED', 'sslrootcrt=ca.pem', 'SSLMODE=disable', 'tls=false', 'ssl=0'])(
  'what is meant to say something of TLS, and says nothing here, is refused: %s',
  (option) => {
    expect(() => parseServerUrl(`mysql://root@db/?${option}`, {})).toThrow(
      `--server: ${option.split('=')[0]} is not known; TLS is a matter of sslmode, sslrootcert, sslcert, sslkey`,
    );
  },
);

test('what other programs say in a URL is none of ours', () => {
  const { tls } = parseServerUrl('postgres://x@db/x?sslmode=require&channel_binding=require&connect_timeout=5', {});
  expect(tls).toEqual({ mode: 'require' });
});
