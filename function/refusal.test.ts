import { type RunFunctionResponse, Severity, Status, Target } from '@crossplane-org/function-sdk-typescript';
import { describe, expect, test } from 'vitest';
import { call, fatal, type Json, xr } from './compose.fixture.ts';

const MESSAGE = 'spec.class: "big" is not known; allowed: none, as the Composition has no classes';
const wrong: Json = { serverRef: undefined, class: 'big' };

const seen = (conditions: Json[]): RunFunctionResponse =>
  call(wrong, { observed: { composite: { resource: xr(wrong, { status: { conditions } }) }, resources: {} } });

const ready = { type: 'DatabaseReady', status: 'True', reason: 'Available', message: 'The database: all in place' };
const refused = { type: 'Accepted', status: 'False', reason: 'Refused', message: MESSAGE };

describe('a claim that is refused', () => {
  test('says so itself, as only its composite would else', () => {
    expect(seen([]).conditions).toEqual([
      {
        type: 'Accepted',
        target: Target.TARGET_COMPOSITE_AND_CLAIM,
        status: Status.STATUS_CONDITION_FALSE,
        reason: 'Refused',
        message: MESSAGE,
      },
    ]);
  });

  test('goes on saying what is known of what is there', () => {
    const { conditions } = seen([ready, { type: 'Ready', status: 'True', reason: 'Available' }]);
    expect(conditions.map(({ type, status, reason, message }) => [type, status, reason, message])).toEqual([
      ['Accepted', Status.STATUS_CONDITION_FALSE, 'Refused', MESSAGE],
      ['DatabaseReady', Status.STATUS_CONDITION_TRUE, ready.reason, ready.message],
    ]);
  });

  test('has one event of it, however often Crossplane asks', () => {
    const warnings = ({ results }: RunFunctionResponse): string[] =>
      results.filter(({ severity }) => severity === Severity.SEVERITY_WARNING).map(({ message }) => message);
    expect(warnings(seen([]))).toEqual([MESSAGE]);
    expect(warnings(seen([refused]))).toEqual([]);
    expect(warnings(seen([{ ...refused, message: 'something else' }]))).toEqual([MESSAGE]);
    expect(fatal(seen([refused]))).toBe(MESSAGE);
  });

  test('is accepted again once it asks for what can be had', () => {
    const { conditions } = call();
    expect(conditions.find(({ type }) => type === 'Accepted')?.status).toBe(Status.STATUS_CONDITION_TRUE);
  });
});
