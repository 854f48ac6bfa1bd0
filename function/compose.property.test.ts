import { Ready, RunFunctionRequest, RunFunctionResponse } from '@crossplane-org/function-sdk-typescript';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENGINES } from '../provider/api/engines.ts';
import { ACCESS } from './claim.ts';
import { fatal, xr } from './compose.fixture.ts';
import { compose } from './compose.ts';

test('no request makes it throw, drop an earlier step or answer what cannot be sent', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const name = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 70 }),
    fc.constantFrom('app', 'public', '__proto__', 'constructor'),
  );
  const mostly = <T>(good: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: json });
  const spec = fc.record(
    {
      engine: mostly(fc.constantFrom(...ENGINES)),
      serverRef: mostly(fc.record({ name: fc.constant('shared') })),
      databaseName: mostly(name),
      schemas: mostly(fc.array(fc.record({ name: mostly(name) }), { maxLength: 4 })),
      extensions: mostly(fc.array(fc.record({ name: mostly(name) }), { maxLength: 2 })),
      roles: mostly(
        fc.array(
          fc.record(
            { name: mostly(name), access: mostly(fc.constantFrom(...ACCESS)), username: name },
            { requiredKeys: ['name', 'access'] },
          ),
          { maxLength: 4 },
        ),
      ),
      claimRef: mostly(fc.constant({ name: 'orders', namespace: 'team-a' })),
      adopt: mostly(fc.boolean()),
      writeConnectionSecretToRef: mostly(fc.record({ name })),
    },
    { requiredKeys: ['serverRef'] },
  );
  const composite = mostly(
    fc.record({
      metadata: mostly(fc.constant({ name: 'orders', namespace: 'team-a' })),
      spec: mostly(spec),
      status: json,
    }),
  );
  const observedResources = fc.dictionary(
    fc.constantFrom('database', 'role-owner', 'role-login-app', 'connection-secret'),
    fc.record({ resource: fc.dictionary(fc.constantFrom('metadata', 'spec', 'status', 'data'), json) }),
  );
  fc.assert(
    fc.property(composite, observedResources, json, (resource, resources, input) => {
      const isObject = typeof resource === 'object' && resource !== null && !Array.isArray(resource);
      const response = compose({
        ...RunFunctionRequest.fromPartial({ meta: { tag: 't' } }),
        observed: {
          composite: {
            resource: isObject ? resource : undefined,
            connectionDetails: {},
            ready: Ready.READY_UNSPECIFIED,
          },
          resources: resources as never,
        },
        desired: {
          composite: undefined,
          resources: { before: { resource: {}, connectionDetails: {}, ready: Ready.READY_TRUE } },
        },
        input: input as object,
      });
      expect(fatal(response) ?? '').not.toContain('internal error');
      expect(response.meta?.tag).toBe('t');
      expect(response.desired?.resources['before']).toBeDefined();
      expect(() => RunFunctionResponse.encode(response).finish()).not.toThrow();
    }),
    { numRuns: 500 },
  );
});

test('what an earlier step wants and leaves, and what Crossplane adds in newer versions, passes through untouched', () => {
  // JSON has no -0.
  const json = fc.jsonValue({ maxDepth: 3 }).map((value): unknown => JSON.parse(JSON.stringify(value)));
  const struct = fc.dictionary(fc.constantFrom('metadata', 'spec', 'status', 'data', '__proto__', 'kind'), json);
  const resource = fc.record({
    resource: fc.option(struct, { nil: undefined }),
    connectionDetails: fc.constantFrom({}, { password: Buffer.from('secret') }),
    ready: fc.constantFrom(Ready.READY_UNSPECIFIED, Ready.READY_TRUE, Ready.READY_FALSE, Ready.UNRECOGNIZED),
  });
  const request = fc.record({
    meta: fc.record({ tag: fc.string(), capabilities: fc.array(fc.nat(40), { maxLength: 8 }) }),
    context: fc.option(fc.dictionary(fc.constantFrom('apiextensions.crossplane.io/environment', 'a'), json), {
      nil: undefined,
    }),
    desired: fc.record({
      composite: fc.option(resource, { nil: undefined }),
      resources: fc.dictionary(fc.constantFrom('before', 'constructor', 'Database'), resource),
    }),
    extraResources: fc.constantFrom({}, { all: { items: [] } }),
    requiredResources: fc.constantFrom({}, { all: { items: [] } }),
    credentials: fc.constantFrom({}, { key: { credentialData: { data: { password: Buffer.from('secret') } } } }),
    input: fc.constantFrom(undefined, {}, { defaultClass: 'nowhere' }),
  });
  fc.assert(
    fc.property(request, fc.boolean(), (given, isKnown) => {
      const bytes = RunFunctionRequest.encode({
        ...RunFunctionRequest.fromPartial({}),
        ...(given as unknown as RunFunctionRequest),
        observed: {
          composite: {
            resource: xr(isKnown ? {} : { class: 'unknown' }),
            connectionDetails: {},
            ready: Ready.READY_UNSPECIFIED,
          },
          resources: {},
        },
      }).finish();
      const [sent, before] = [RunFunctionRequest.decode(bytes), RunFunctionRequest.decode(bytes)];
      const response = RunFunctionResponse.decode(RunFunctionResponse.encode(compose(sent)).finish());
      expect(sent).toEqual(before);
      expect(response.context).toEqual(before.context);
      expect(response.requirements).toBeUndefined();
      for (const [key, wanted] of Object.entries(before.desired?.resources ?? {}))
        expect(response.desired?.resources[key]).toEqual(wanted);
      if (fatal(response) === undefined) {
        const { spec, metadata } = before.desired?.composite?.resource ?? {};
        expect(response.desired?.composite?.resource).toMatchObject({
          ...(spec === undefined ? {} : { spec: spec as object }),
          ...(metadata === undefined ? {} : { metadata: metadata as object }),
        });
      } else expect(response.desired).toEqual(before.desired);
    }),
    { numRuns: 300 },
  );
});
