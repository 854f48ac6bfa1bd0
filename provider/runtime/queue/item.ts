/** Why a key is to be looked at, and how urgently. */

/** `high`: somebody changed something. `low`: routine. */
export type Priority = 'high' | 'low';

/** `event`: something changed. `retry`: the last attempt failed. `poll`: nothing known has changed. */
export type Trigger = 'event' | 'retry' | 'poll';

export interface Request {
  priority: Priority;
  trigger: Trigger;
}

export interface AddOptions {
  /** @defaultValue high for `event`, low otherwise */
  priority?: Priority | undefined;
  /** @defaultValue `event` */
  trigger?: Trigger | undefined;
}

export function requestOf(options: AddOptions = {}): Request {
  const trigger = options.trigger ?? 'event';
  return { trigger, priority: options.priority ?? (trigger === 'event' ? 'high' : 'low') };
}

const RANK: Record<Trigger, number> = { event: 2, retry: 1, poll: 0 };

/** Two requests for one key are one: the higher priority, the weightier trigger. */
export function merge(a: Request, b: Request): Request {
  return {
    priority: a.priority === 'high' ? 'high' : b.priority,
    trigger: RANK[a.trigger] >= RANK[b.trigger] ? a.trigger : b.trigger,
  };
}
