/**
 * Logging: one JSON line per event to stderr. Anything that looks like a credential is left out by its name, whoever
 * logs it.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

/** Those of pino, from the most to the least that is said. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
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
      serializers: { err: scrubbed, error: scrubbed },
      hooks: {
        logMethod(args, method) {
          const [first, second] = args as [unknown, string | undefined];
          // Given an error alone, pino would repeat its message as it is.
          if (first instanceof Error) method.apply(this, [{ err: first }, scrub(second ?? first.message)]);
          else method.apply(this, args.map((it: unknown) => (typeof it === 'string' ? scrub(it) : it)) as typeof args);
        },
      },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );
}

/** For tests and for code that logs nowhere. */
export const silentLog: Log = pino({ level: 'silent' });

/** Hides the password of any `scheme://user:password@host` in a text. */
export const scrub = (text: string): string =>
  text.replaceAll(/(\b[a-z][\w+.-]*:\/\/[^\s:/@]*):[^\s/@]*@/gi, '$1:***@');

/** Driver errors carry their query, its values and their connection, and so may their causes; none of these is logged. */
function scrubbed(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { cause } = error;
  return {
    type: error.name,
    message: scrub(error.message),
    ...facts(error),
    ...(cause instanceof Error ? { cause: { type: cause.name, ...facts(cause) } } : {}),
    stack: scrub(error.stack ?? ''),
  };
}

function facts(error: Error): Record<string, unknown> {
  const { code, reason, status } = error as Error & Record<string, unknown>;
  return Object.fromEntries(Object.entries({ code, reason, status }).filter(([, value]) => value !== undefined));
}
