import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextPoll, pollStart } from './poll.ts';

const moment = fc.integer({ min: 0, max: 4e12 });

test('resources of one server are looked at in the same moment', () => {
  fc.assert(
    fc.property(fc.string(), moment, fc.integer({ min: 0, max: 50_000 }), (server, now, later) => {
      const [first, second] = [
        now + nextPoll(server, 60_000, now),
        now + later + nextPoll(server, 60_000, now + later),
      ];
      const slots = (second - first) / 60_000;
      expect(Math.abs(slots - Math.round(slots)) * 60_000).toBeLessThanOrEqual(2);
    }),
  );
});

test('the next look is between a tenth of the interval and a bit more than one interval away', () => {
  fc.assert(
    fc.property(fc.string(), moment, (server, now) => {
      const wait = nextPoll(server, 60_000, now);
      expect(wait).toBeGreaterThanOrEqual(5_999);
      expect(wait).toBeLessThanOrEqual(66_001);
    }),
  );
});

test('the interval that a look belongs to began before it', () => {
  fc.assert(
    fc.property(fc.string(), moment, (server, now) => {
      const start = pollStart(server, 60_000, now);
      expect(start).toBeLessThanOrEqual(now);
      expect(now - start).toBeLessThan(60_001);
    }),
  );
});
