/** A preview from its first call to its end, as Crossplane's own pipeline sees it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compositeOf, documents, type Json, manifest, OURS, observe, type Rendered, type Renderer, startRenderer } from './crossplane-render.ts';
import { matchesGolden } from './golden.ts';

const MADE = '2026-01-01T00:00:00Z';
const END = '2026-01-04T00:00:00Z';

let renderer: Renderer;
let xr: Rendered;

beforeAll(async () => {
  renderer = await startRenderer();
  const composite = compositeOf(await manifest('examples/claim-preview.yaml'));
  xr = { ...composite, metadata: { ...composite.metadata, creationTimestamp: MADE } };
});
afterAll(async () => {
  await renderer?.stop();
});

async function rendered(observed: readonly Json[] = [], required: readonly Json[] = []): Promise<string> {
  const { code, stdout, stderr } = await renderer.render(xr, OURS.v1, { observed, required });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

const composedOf = (text: string): Rendered[] => documents(text).slice(1);
const kindsOf = (text: string): string[] => composedOf(text).map(({ kind }) => kind).toSorted();
const phaseOf = (text: string): unknown => (documents(text)[0]?.['status'] as Json | undefined)?.['phase'];

/** Everything as the provider would have it, the database with what is said here. */
function world(composed: readonly Rendered[], atProvider: Json = {}): { observed: Json[]; secrets: Json[] } {
  const { observed, secrets } = observe(composed, xr);
  return {
    observed: observed.map((one) => (one['kind'] === 'Database' ? { ...one, status: { ...(one['status'] as Json), atProvider } } : one)),
    secrets,
  };
}

test('has nobody but its owner while the data comes, then everything, and after its end nothing that it had', async () => {
  const first = await rendered();
  expect(kindsOf(first)).toEqual(['Copy', 'Database', 'Grant', 'Role']);
  const still = world(composedOf(first).filter(({ kind }) => kind !== 'Copy'));
  const filling = await rendered(still.observed);
  expect(kindsOf(filling)).toEqual(kindsOf(first));
  expect(phaseOf(filling)).toBe('Filling');

  const filled = await rendered(world(composedOf(first)).observed);
  await matchesGolden('claim-preview-filled', filled);
  expect(kindsOf(filled)).toContain('Schema');

  const whole = world(composedOf(filled), { owner: 'orders_pr_42_owner' });
  expect(phaseOf(await rendered(whole.observed, whole.secrets))).toBe('Ready');

  const kept = world(composedOf(filled), { expired: 'Kept', expiresAt: END });
  const ended = await rendered(kept.observed, kept.secrets);
  await matchesGolden('claim-preview-expired', ended);
  expect(kindsOf(ended)).toEqual(['Copy', 'Database', 'Grant', 'Role', 'Schema']);
  expect(phaseOf(ended)).toBe('Expired');

  const gone = world(composedOf(filled), { expired: 'Dropped', expiresAt: END });
  expect(kindsOf(await rendered(gone.observed, gone.secrets))).toEqual(['Database']);
});
