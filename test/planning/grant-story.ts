/** What the planner of one Grant, or of default privileges, makes of it over its life, in the statements that are sent. */
import { expect } from 'vitest';
import type { Managed } from '../../provider/api/kind.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import type { Plan, PlanContext, Planner, Reader } from '../../provider/resources/planner.ts';

/** Where it lives. */
export interface GrantSetting {
  /** Every statement that changes something, as it was sent. */
  readonly sent: readonly string[];
  reader(): Reader;
  run(steps: readonly Step[]): Promise<void>;
}

export class GrantStory<Spec extends object> {
  readonly #place: GrantSetting;
  readonly #planner: Planner<never>;
  spec: Spec;
  owned = false;
  applied: unknown;
  /** Other Grants to the same role. */
  siblings: GrantStory<Spec>[] = [];

  constructor(place: GrantSetting, planner: Planner<never>, spec: Spec) {
    this.#place = place;
    this.#planner = planner;
    this.spec = spec;
  }

  #context(): PlanContext {
    return {
      reader: this.#place.reader(),
      externalName: '',
      mark: { uid: 'u', resource: 'ns/name' },
      owned: this.owned,
      applied: this.applied,
      siblings: () => this.siblings.filter(({ owned }) => owned).map(({ spec }) => spec),
      now: new Date(),
    };
  }

  #resource(): never {
    return { spec: { forProvider: this.spec } } as unknown as Managed as never;
  }

  async plan(): Promise<Plan> {
    return await this.#planner.plan(this.#resource(), this.#context());
  }

  async planDelete(): Promise<Plan> {
    return await this.#planner.planDelete(this.#resource(), this.#context());
  }

  /** One pass; gives the statements it sent. The pass after it sends nothing. */
  async reconcile(): Promise<string[]> {
    const plan = await this.plan();
    const already = this.#place.sent.length;
    await this.#place.run(plan.steps);
    this.owned = true;
    this.applied = plan.applied === undefined ? undefined : JSON.parse(JSON.stringify(plan.applied));
    const again = await this.plan();
    expect(again.steps).toEqual([]);
    expect(again.exists).toBe(true);
    expect(again.applied).toEqual(plan.applied);
    return this.#place.sent.slice(already);
  }

  async edit(change: Partial<Spec>): Promise<string[]> {
    this.spec = { ...this.spec, ...change };
    return await this.reconcile();
  }

  async delete(): Promise<string[]> {
    const plan = await this.planDelete();
    const already = this.#place.sent.length;
    await this.#place.run(plan.steps);
    const again = await this.planDelete();
    expect(again).toMatchObject({ exists: false, steps: [] });
    return this.#place.sent.slice(already);
  }
}
