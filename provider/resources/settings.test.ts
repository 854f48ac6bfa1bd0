import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSameSetting, items, refuseRepeatedSettings, settingChanges, splitList } from './settings.ts';

describe('a list', () => {
  test.each([
    ['"$user", public', '"$user",public'],
    ['PUBLIC', 'public'],
    ['"odd, one" ,  x', '"odd, one", x'],
    ['"a""b"', '"a""b"'],
    ['', '""'],
  ])('%j is the same as %j', (wanted, observed) => {
    expect(isSameSetting('search_path', wanted, observed)).toBe(true);
    expect(isSameSetting('Search_Path', wanted, observed)).toBe(true);
  });

  test.each([
    ['a, b', 'b, a'],
    ['"A"', 'a'],
    ['a,b', '"a,b"'],
    ['', 'a'],
  ])('%j is not the same as %j', (wanted, observed) => {
    expect(isSameSetting('search_path', wanted, observed)).toBe(false);
  });

  test('any text is read without end, and as the statement that is sent has it', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', 'B', '"', ',', ' ', '$', '=') }));
    fc.assert(
      fc.property(text, (value) => {
        const sent = splitList(value);
        expect(items(value)).toEqual(sent.length === 1 && sent[0] === '' ? [] : sent);
      }),
      { numRuns: 2000 },
    );
  });

  test('names that are quoted come back whole', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }), (names) => {
        expect(items(names.map((name) => `"${name.replaceAll('"', '""')}"`).join(', '))).toEqual(names);
      }),
    );
  });
});

describe('other settings', () => {
  test('are compared letter by letter (B65)', () => {
    expect(isSameSetting('app.opts', 'a=b, c', 'a=b, c')).toBe(true);
    expect(isSameSetting('app.opts', 'a=b,c', 'a=b, c')).toBe(false);
    expect(isSameSetting('work_mem', '64MB', undefined)).toBe(false);
  });
});

describe('changes', () => {
  const observed = [
    { name: 'work_mem', value: '64MB' },
    { name: 'TimeZone', value: 'UTC' },
    { name: 'app.x', value: '1' },
  ];

  test('are none when everything is as wanted, in whatever case the names are', () => {
    expect(settingChanges([{ name: 'timezone', value: 'UTC' }], observed, [])).toEqual([]);
  });

  test('set what differs and reset what may be reset, and nothing else', () => {
    expect(settingChanges([{ name: 'work_mem', value: '1GB' }], observed, ['timezone', 'WORK_MEM', 'gone'])).toEqual([
      { setting: 'work_mem', value: '1GB' },
      { setting: 'TimeZone', value: null },
    ]);
  });
});

test('a setting in two spellings is one, and refused when it is given twice', () => {
  const refusal = (...names: string[]): string => {
    try {
      refuseRepeatedSettings(
        names.map((name) => ({ name, value: '1' })),
        'forProvider.settings',
      );
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  expect(refusal('work_mem', 'TimeZone', 'WORK_MEM')).toBe(
    'forProvider.settings: "work_mem" and "WORK_MEM" are one setting; give it once',
  );
  expect(refusal('work_mem', 'TimeZone', 'app.work_mem')).toBe('none');
});
