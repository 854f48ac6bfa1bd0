import { describe, expect, it } from 'vitest';
import { createLog, type LogLevel, scrub } from './log.ts';

function logged(level: LogLevel = 'debug') {
  const lines: string[] = [];
  return { log: createLog({ level, stream: { write: (line) => lines.push(line) } }), lines };
}

describe('createLog', () => {
  it('writes one JSON line with level, time and message', () => {
    const { log, lines } = logged();
    log.info({ key: 'app/a' }, 'hello');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', key: 'app/a', msg: 'hello' });
    expect(lines[0]).toMatch(/"time":"\d{4}-\d\d-\d\dT/);
    expect(lines[0]?.endsWith('\n')).toBe(true);
  });

  it('shows no credential, however deep it is logged', () => {
    const { log, lines } = logged();
    log.info({
      password: 'hunter2',
      config: { password: 'hunter2', tls: { clientKey: 'hunter2', deep: { token: 'hunter2' } } },
      details: { uri: 'postgres://a:hunter2@h', jdbcUrl: 'hunter2' },
      headers: { authorization: 'Bearer hunter2' },
      secret: { kind: 'Secret', data: { x: 'hunter2' } },
      object: { kind: 'Secret', data: { x: 'hunter2' }, stringData: 'hunter2' },
    });
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('takes from an error its type, message, code, reason and stack, and nothing else it carries', () => {
    const { log, lines } = logged();
    const error = Object.assign(new TypeError('cannot reach postgres://admin:hunter2@db/x'), {
      code: '28P01',
      reason: 'WrongPassword',
      sql: "ALTER ROLE x PASSWORD 'hunter2'",
      parameters: ['hunter2'],
      cause: new Error('hunter2'),
    });
    log.error({ err: error }, 'failed');
    log.error(error);
    expect(lines.join('')).not.toContain('hunter2');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      err: {
        type: 'TypeError',
        code: '28P01',
        reason: 'WrongPassword',
        message: 'cannot reach postgres://admin:***@db/x',
      },
    });
    log.error({ err: 'not an error' }, 'still fine');
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ err: 'not an error' });
  });

  it('keeps quiet below its level', () => {
    const { log, lines } = logged('warn');
    log.info('no');
    log.warn('yes');
    expect(lines).toHaveLength(1);
  });
});

describe('scrub', () => {
  it.each([
    ['postgres://u:p@h/d', 'postgres://u:***@h/d'],
    ['mysql://u:p%40x@h and redis://:p@h', 'mysql://u:***@h and redis://:***@h'],
    ['https://host:8080/path@x', 'https://host:8080/path@x'],
    ['user@host: no', 'user@host: no'],
  ])('turns %s into %s', (text, expected) => {
    expect(scrub(text)).toBe(expected);
  });
});
