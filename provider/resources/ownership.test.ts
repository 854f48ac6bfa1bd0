import { describe, expect, test } from 'vitest';
import { isOursToDrop, ownershipOf } from './ownership.ts';
import { contextOf, ours, theirs } from './planning.fixture.ts';

const what = 'database "orders"';

describe('an object that is on the server already', () => {
  test('is refused to a resource that did not make it, with the remedy', () => {
    expect(() => ownershipOf(what, undefined, false, contextOf({}))).toThrow(
      'database "orders" exists already and was not made by this resource; set forProvider.adopt: true to take it over',
    );
    expect(() => ownershipOf(what, theirs, undefined, contextOf({}))).toThrow(
      'database "orders" exists already and was not made by this resource: it is managed by team-b/other; set forProvider.adopt: true to take it over',
    );
  });

  test('is said to be an earlier one of its own name, where it is', () => {
    const context = contextOf({});
    const earlier = { uid: 'earlier', resource: context.mark.resource };
    expect(() => ownershipOf(what, earlier, undefined, context)).toThrow(
      `: an earlier ${context.mark.resource} made it, before this one was made anew or restored; set forProvider.adopt`,
    );
    expect(ownershipOf(what, earlier, true, context)).toMatchObject({ mark: true });
  });

  test('is not refused again and again by itself: an edit is needed', () => {
    expect(() => ownershipOf(what, undefined, false, contextOf({}))).toThrow(
      expect.objectContaining({ reason: 'AlreadyExists', retryable: false }),
    );
  });

  test.each([undefined, theirs])('is marked and recorded as adopted when adoption is asked for (%j)', (mark) => {
    expect(ownershipOf(what, mark, true, contextOf({}))).toEqual({
      mark: true,
      record: { adopted: true, adopting: true },
    });
  });

  test('stays adopted once our mark is on it', () => {
    const context = contextOf({ owned: true, applied: { adopted: true, adopting: true } });
    expect(ownershipOf(what, ours, true, context)).toEqual({ mark: false, record: { adopted: true } });
  });

  test('is ours by its mark, whatever the annotations say', () => {
    expect(ownershipOf(what, ours, false, contextOf({}))).toEqual({ mark: false, record: {} });
  });

  test('is ours without a mark when we made it, and no mark is written over and over', () => {
    expect(ownershipOf(what, undefined, false, contextOf({ owned: true }))).toEqual({ mark: false, record: {} });
  });
});

describe('an object of ours that another resource has taken', () => {
  test('is left to it, even when both may adopt: neither takes it from the other twice', () => {
    const context = contextOf({ owned: true, applied: { adopted: true } });
    for (const adopt of [false, true])
      expect(() => ownershipOf(what, theirs, adopt, context)).toThrow(
        expect.objectContaining({
          reason: 'AlreadyManaged',
          retryable: false,
          message: expect.stringContaining('was taken over by team-b/other'),
        }),
      );
  });

  test('can still be adopted by a resource whose adoption was interrupted before it began', () => {
    const context = contextOf({ owned: true, applied: { adopted: true, adopting: true } });
    expect(ownershipOf(what, theirs, true, context).mark).toBe(true);
  });

  test('is not dropped with us', () => {
    expect(isOursToDrop(theirs, contextOf({ owned: true }))).toBe(false);
  });
});

describe('deletion', () => {
  test('takes what we made or marked, and nothing else (B98)', () => {
    expect(isOursToDrop(ours, contextOf({}))).toBe(true);
    expect(isOursToDrop(undefined, contextOf({ owned: true }))).toBe(true);
    expect(isOursToDrop(undefined, contextOf({}))).toBe(false);
    expect(isOursToDrop(theirs, contextOf({}))).toBe(false);
  });
});

test('a record that somebody broke is no record', () => {
  for (const applied of ['text', 7, null, ['adopted']])
    expect(ownershipOf(what, ours, false, contextOf({ applied }))).toEqual({ mark: false, record: {} });
});
