#!/usr/bin/env node
/** The composition function's process: flags, log, start, stop. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { type FunctionServer, startFunction } from './serve/server.ts';

const MIB = 1024 * 1024;

const HELP = `Usage: function [flags]

Composes databases, schemas, roles and grants from an XDatabase.

  --address HOST:PORT             where to listen; :9443 is every address (default [::]:9443)
  --tls-server-certs-dir DIR      folder with tls.crt, tls.key, ca.crt (default $TLS_SERVER_CERTS_DIR or /tls/server)
  --insecure                      no TLS and no check of the client; for tools on this machine only
  --max-recv-message-size MIB     largest request, in MiB (default 16)
  -d, --debug                     a log line for every call
  -h, --help                      this text
`;

function flags() {
  const { values } = parseArgs({
    options: {
      address: { type: 'string', default: '[::]:9443' },
      'tls-server-certs-dir': { type: 'string', default: process.env['TLS_SERVER_CERTS_DIR'] ?? '/tls/server' },
      insecure: { type: 'boolean', default: false },
      'max-recv-message-size': { type: 'string', default: '16' },
      debug: { type: 'boolean', short: 'd', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const size = Number(values['max-recv-message-size']);
  if (!Number.isInteger(size) || size < 1 || size > 1024)
    throw new TypeError(
      `--max-recv-message-size ${JSON.stringify(values['max-recv-message-size'])}: allowed is a whole number of MiB from 1 to 1024`,
    );
  return { ...values, maxReceiveBytes: size * MIB };
}

async function main(): Promise<void> {
  let options: ReturnType<typeof flags>;
  try {
    options = flags();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exitCode = 2;
    return;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const log = pino({ level: options.debug ? 'debug' : 'info', base: null });
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection');
    process.exit(1);
  });
  let server: FunctionServer;
  try {
    server = await startFunction({
      address: options.address,
      insecure: options.insecure,
      certsDir: options['tls-server-certs-dir'],
      maxReceiveBytes: options.maxReceiveBytes,
      onCertificates: (failure) => {
        if (failure === undefined) log.info('certificates were renewed');
        else log.warn({ failure }, 'certificates cannot be renewed; the old ones stay in use');
      },
      onRefused: (reason) => {
        log.warn({ reason }, 'a client was refused');
      },
      onCall: ({ tag, fatal, milliseconds }) => {
        if (fatal !== undefined) log.info({ tag, fatal }, 'refused');
        else log.debug({ tag, milliseconds }, 'composed');
      },
    });
  } catch (error) {
    log.fatal({ err: error }, 'cannot start');
    process.exitCode = 1;
    return;
  }
  log.info({ address: options.address, port: server.port, insecure: options.insecure }, 'listening');
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      void server.stop().then(() => {
        process.exit(0);
      });
    });
}

await main();
