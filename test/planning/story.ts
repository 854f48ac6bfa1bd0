/** What a planner makes of one resource over its life, at a real server. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Managed } from '../../provider/api/kind.ts';
import { Secret } from '../../provider/common/secret.ts';
import type { Engine } from '../../provider/engines/engine.ts';
import type { ReadKind, Reads } from '../../provider/resources/model/reads.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import type { Plan, PlanContext, Planner, Reader } from '../../provider/resources/planner.ts';
import type { Tenant } from '../../provider/resources/tenant.ts';
import { admitted, withoutStrange } from '../../provider/resources/tenant-steps.ts';

/** Where it lives. */
export interface Setting {
  readonly engine: Pick<Engine, 'run'>;
  reader(): Promise<Reader>;
}

/** Reads that are answered one by one, as they are asked. */
export async function readerOf(engine: Engine): Promise<Reader> {
  return {
    server: await engine.info(),
    read: async <K extends ReadKind>(kind: K, query: Reads[K]['query']) => (await engine.read(kind, [query]))[0]!,
    checkPassword: async (name, host, password) => await engine.checkPassword(name, host, password),
  };
}

/** One resource over its life, with what its annotations would say. */
export class Story {
  readonly #place: Setting;
  readonly #planner: Planner<never>;
  readonly name: string;
  spec: object;
  password: string | undefined;
  readonly uid = randomBytes(6).toString('hex');
  owned = false;
  creating = false;
  /** By default the moment of each look. */
  now: Date | undefined;
  applied: unknown;
  /** On a server that tenants share: whose resource this is. */
  tenant: Tenant | undefined;
  isManaged: PlanContext['isManaged'];

  constructor(place: Setting, planner: Planner<never>, name: string, spec: object, password?: string) {
    this.#place = place;
    this.#planner = planner;
    this.name = name;
    this.spec = spec;
    this.password = password;
  }

  get secret(): Secret {
    return new Secret(this.password ?? '');
  }

  async #context(): Promise<PlanContext> {
    return {
      reader: await this.#place.reader(),
      externalName: this.name,
      mark: { uid: this.uid, resource: `tests/${this.uid}` },
      owned: this.owned,
      creating: this.creating,
      applied: this.applied,
      ...(this.password === undefined ? {} : { password: this.given(this.password) }),
      ...(this.tenant === undefined ? {} : { tenant: this.tenant }),
      ...(this.isManaged === undefined ? {} : { isManaged: this.isManaged }),
      now: this.now ?? new Date(),
    };
  }

  protected given(password: string): NonNullable<PlanContext['password']> {
    return { value: new Secret(password), generated: false };
  }

  #resource(): never {
    return { spec: { forProvider: this.spec } } as unknown as Managed as never;
  }

  async plan(): Promise<Plan> {
    const context = await this.#context();
    return await admitted(await this.#planner.plan(this.#resource(), context), context);
  }

  async planDelete(): Promise<Plan> {
    const context = await this.#context();
    return await withoutStrange(await this.#planner.planDelete(this.#resource(), context), context);
  }

  /** One pass, as far as the change. A creation that fails leaves the resource without a right to what is there. */
  async change(): Promise<Step[]> {
    const plan = await this.plan();
    const after: unknown = JSON.parse(JSON.stringify(plan.applied ?? {}));
    this.applied = { ...(this.applied as object | undefined), ...(after as object) };
    await this.#place.engine.run(plan.steps);
    this.owned = true;
    this.applied = after;
    return plan.steps;
  }

  /** A change, after which there is nothing left to do. */
  async reconcile(): Promise<Step[]> {
    const steps = await this.change();
    const again = await this.plan();
    expect(again).toMatchObject({ exists: true, steps: [] });
    expect(again.unready).toBeUndefined();
    this.applied = JSON.parse(JSON.stringify(again.applied ?? {})) as unknown;
    expect((await this.plan()).steps).toEqual([]);
    return steps;
  }

  async edit(change: object): Promise<Step[]> {
    this.spec = { ...this.spec, ...change };
    return await this.reconcile();
  }

  /** Gives the plan that says that nothing of ours is left. */
  async delete(): Promise<Plan> {
    const plan = await this.planDelete();
    if (!plan.exists) return plan;
    await this.#place.engine.run(plan.steps);
    const after = await this.planDelete();
    expect(after).toMatchObject({ exists: false, steps: [] });
    return after;
  }
}
