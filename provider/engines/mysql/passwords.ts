/** Whether a password is that of an account: compared with what the server stores, which only its catalog tells. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Secret } from '../../common/secret.ts';
import type { Step } from '../../resources/model/steps.ts';
import { matchesStored } from './authentication.ts';
import type { StoredAccount } from './reads/stored-account.ts';

type Verdict = 'match' | 'mismatch' | 'unknown';

/** What came with an account is looked at instead of being asked for again: a plan reads the account just before. */
const FRESH_MS = 60_000;
/** Accounts that are remembered. */
const MOST = 50_000;

interface Seen {
  account: StoredAccount | undefined;
  at: number;
}

export class PasswordChecker {
  readonly #read: (name: string, host: string | undefined) => Promise<StoredAccount | undefined>;
  readonly #seen = new Map<string, Seen>();
  /** Spares thousands of rounds of hashing per account and poll. */
  readonly #known = new Map<string, { digest: string; verdict: Verdict }>();
  /** Accounts that were changed, by the turn in which they were. */
  readonly #changed = new Map<string, number>();
  /** Up to this turn every account counts as changed. */
  #floor = -1;
  #turn = 0;
  readonly #key = randomBytes(32);

  constructor(read: (name: string, host: string | undefined) => Promise<StoredAccount | undefined>) {
    this.#read = read;
  }

  async check(name: string, host: string | undefined, password: Secret): Promise<Verdict> {
    const key = keyOf(name, host);
    const seen = this.#seen.get(key);
    const account =
      seen !== undefined && performance.now() - seen.at < FRESH_MS ? seen.account : await this.#read(name, host);
    if (account === undefined) return 'mismatch';
    const { plugin, stored } = account;
    const digest = this.#digest(plugin, stored.reveal(), password);
    const known = this.#known.get(key);
    if (known?.digest === digest) return known.verdict;
    const matches = await matchesStored(plugin, password.reveal(), Buffer.from(stored.reveal(), 'hex'));
    const verdict = matches === undefined ? 'unknown' : matches ? 'match' : 'mismatch';
    this.#known.set(key, { digest, verdict });
    return verdict;
  }

  /** What a step has just set needs no hashing again to be recognised. Call it after `forget`. */
  remember(step: Step, plugin: string, stored: Buffer): void {
    if ((step.kind !== 'setPassword' && step.kind !== 'createRole') || step.password === undefined) return;
    const digest = this.#digest(plugin, stored.toString('hex').toUpperCase(), step.password);
    this.#known.set(keyOf(step.name, step.host), { digest, verdict: 'match' });
  }

  #digest(plugin: string, stored: string, password: Secret): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([plugin, stored, password.reveal()]))
      .digest('base64');
  }

  /** For a read that begins now: takes the accounts that it finds, unless they were changed since. */
  collect(): (account: StoredAccount) => void {
    const turn = this.#turn;
    const at = performance.now();
    return (account) => {
      const key = keyOf(account.user, account.host);
      if ((this.#changed.get(key) ?? this.#floor) < turn) this.#seen.set(key, { account, at });
    };
  }

  /** What was known of the accounts that the step changed. */
  forget(step: Step): void {
    this.#tidy();
    if (
      step.kind === 'setPassword' ||
      step.kind === 'createRole' ||
      step.kind === 'alterRole' ||
      step.kind === 'dropRole'
    ) {
      const key = keyOf(step.name, step.host);
      this.#known.delete(key);
      this.#seen.delete(key);
      this.#changed.set(key, this.#turn);
    }
    this.#turn += 1;
  }

  #tidy(): void {
    if (this.#seen.size < MOST && this.#changed.size < MOST) return;
    this.#seen.clear();
    this.#changed.clear();
    this.#known.clear();
    this.#floor = this.#turn;
  }
}

const keyOf = (name: string, host: string | undefined): string => JSON.stringify([name, (host ?? '%').toLowerCase()]);
