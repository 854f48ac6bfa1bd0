/**
 * What the claim says when the function gives up. A FATAL result alone is told to the composite, which those who wrote the
 * claim may never see, and makes Crossplane forget what was known of everything else.
 */
import {
  type Condition,
  type Result,
  type RunFunctionRequest,
  Severity,
  Status,
  Target,
} from '@crossplane-org/function-sdk-typescript';
import { ACCEPTED, CONDITION_TYPES } from './conditions.ts';
import { condition, object } from './observed.ts';

const target = Target.TARGET_COMPOSITE_AND_CLAIM;
const REASON = 'Refused';

const STATUSES: Record<string, Status> = {
  True: Status.STATUS_CONDITION_TRUE,
  False: Status.STATUS_CONDITION_FALSE,
};

export function refusal(request: RunFunctionRequest, message: string): { results: Result[]; conditions: Condition[] } {
  const composite = object(request.observed?.composite?.resource);
  const before = condition(composite, ACCEPTED);
  const isNews = before?.reason !== REASON || before.message !== message;
  const known = CONDITION_TYPES.flatMap((type): Condition[] => {
    const seen = condition(composite, type);
    if (seen === undefined) return [];
    const { status, reason, message: text } = seen;
    return [{ type, target, status: STATUSES[status] ?? Status.STATUS_CONDITION_UNKNOWN, reason, message: text }];
  });
  return {
    results: [
      // Crossplane asks again and again; the claim has an event of it once.
      ...(isNews ? [{ severity: Severity.SEVERITY_WARNING, message, reason: REASON, target }] : []),
      { severity: Severity.SEVERITY_FATAL, message },
    ],
    conditions: [{ type: ACCEPTED, target, status: Status.STATUS_CONDITION_FALSE, reason: REASON, message }, ...known],
  };
}
