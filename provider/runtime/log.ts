/**
 * Logging: one JSON line per event to stderr. Anything that looks like a credential is left out by its name, whoever
 * logs it.
 */
import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECRET_NAMES = ['password', 'uri', 'jdbcUrl', 'token', 'clientKey', 'stringData', 'connectionDetails'];
const SECRET_HEADERS = ['authorization', 'Authorization'];

const REDACTED = [
  ...[...SECRET_NAMES, ...SECRET_HEADERS].flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]),
  // The content of a Secret, as an object of its own or within another.
  'secret.data',
  '*.secret.data',
  'object.data',
  'data.password',
];

export interface LogOptions {
  level?: LogLevel;
  /** @defaultValue stderr */
  stream?: DestinationStream;
}

export function createLog(options: LogOptions = {}): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { err: (error: Error) => scrubbed(stdSerializers.err(error)), error: stdSerializers.err },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );
}

/** For tests and for code that logs nowhere. */
export const silentLog: Log = pino({ level: 'silent' });

/** Hides the password of any `scheme://user:password@host` in a text. */
export const scrub = (text: string): string =>
  text.replaceAll(/(\b[a-z][\w+.-]*:\/\/[^\s:/@]*):[^\s/@]*@/gi, '$1:***@');

/** Driver errors carry their query, its values and their connection; none of these is logged. */
function scrubbed(error: ReturnType<typeof stdSerializers.err>): Record<string, unknown> {
  const { type, code, reason, status } = error as Record<string, unknown> & { type: string };
  return {
    type,
    message: scrub(error.message),
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
    ...(status === undefined ? {} : { status }),
    stack: scrub(error.stack),
  };
}
