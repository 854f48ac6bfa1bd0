/** Whether a password is that of a role: compared with the stored verifier, or tried where that cannot be read. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { ResourceError } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { OnVerifier } from './reads/roles.ts';
import { isVerifier, verifies } from './scram.ts';
import { endClient } from './session.ts';
import { type ReadInSession, VerifierLoader } from './verifier-loader.ts';

type Verdict = 'match' | 'mismatch' | 'unknown';

export interface PasswordAccess {
  read: ReadInSession;
  /** Logs in as somebody else. Throws ResourceError. */
  login: (name: string, password: string) => Promise<Client>;
}

/** How long a login that worked is believed, where there is no verifier to look at; give or take a half. */
const BELIEVED_MS = 30 * 60_000;
/** A verifier that came with a role is looked at instead of being asked for again: a plan reads the role just before. */
const FRESH_MS = 60_000;
/** Roles that are remembered. */
const MOST = 50_000;

interface Known {
  /** Of the password, and of the verifier where it can be read. */
  digest: string;
  verdict: Verdict;
  until: number;
}

export class PasswordChecker {
  readonly #access: PasswordAccess;
  /** Spares 4096 rounds of hashing, or a login, per role and poll. One entry per role. */
  readonly #known = new Map<string, Known>();
  readonly #verifiers = new Map<string, { verifier: Secret | undefined; at: number }>();
  /** Roles whose password was changed, by the turn in which it was. */
  readonly #changed = new Map<string, number>();
  /** Up to this turn every role counts as changed. */
  #floor = -1;
  #turn = 0;
  readonly #key = randomBytes(32);
  readonly #stored: VerifierLoader;

  constructor(access: PasswordAccess) {
    this.#access = access;
    this.#stored = new VerifierLoader(access.read);
  }

  async check(name: string, password: Secret, info: ServerInfo): Promise<Verdict> {
    return info.admin.superUser ? await this.#compare(name, password) : await this.#try(name, password);
  }

  /** For a read that begins now: takes the verifiers that it finds, unless they were changed since. */
  collect(): OnVerifier {
    const turn = this.#turn;
    const at = performance.now();
    return (name, verifier) => {
      if ((this.#changed.get(name) ?? this.#floor) < turn) this.#verifiers.set(name, { verifier, at });
    };
  }

  /** What was known of the roles that the steps changed. */
  forget(steps: readonly Step[]): void {
    this.#tidy();
    for (const step of steps)
      if (
        step.kind === 'setPassword' ||
        step.kind === 'createRole' ||
        step.kind === 'alterRole' ||
        step.kind === 'dropRole'
      ) {
        this.#known.delete(step.name);
        this.#verifiers.delete(step.name);
        this.#changed.set(step.name, this.#turn);
      }
    this.#turn += 1;
  }

  /**
   * Passwords that were set just now. Who can read verifiers will find the one that we made of the password, and need not
   * compute it again to see that it is right. Who cannot tries a login: clients differ in how they prepare what is not
   * ASCII (RFC 4013), so one by ours that fails proves nothing, and would have the password set again and again.
   */
  believe(steps: readonly Step[], verifiers: ReadonlyMap<Step, Secret>, { admin }: ServerInfo): void {
    for (const step of steps) {
      if (step.kind !== 'setPassword' && step.kind !== 'createRole') continue;
      const password = step.password?.reveal();
      if (password === undefined) continue;
      const verifier = verifiers.get(step)?.reveal();
      if (admin.superUser && verifier !== undefined) this.#keep(step.name, [password, verifier]);
      else if (!/^[\x20-\x7E]*$/.test(password)) this.#keep(step.name, [password]);
    }
  }

  #keep(name: string, key: readonly string[]): void {
    this.#known.set(name, { digest: this.#digest(key), verdict: 'match', until: Number.POSITIVE_INFINITY });
  }

  #digest(key: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(key)).digest('base64');
  }

  #tidy(): void {
    if (this.#verifiers.size < MOST && this.#changed.size < MOST) return;
    this.#verifiers.clear();
    this.#changed.clear();
    this.#floor = this.#turn;
  }

  async #compare(name: string, password: Secret): Promise<Verdict> {
    const seen = this.#verifiers.get(name);
    const stored =
      seen !== undefined && performance.now() - seen.at < FRESH_MS
        ? seen.verifier?.reveal()
        : await this.#stored.load(name);
    if (stored === undefined) return 'mismatch';
    // A Secret may hold a verifier, which the server stores as it is.
    if (isVerifier(password.reveal())) return stored === password.reveal() ? 'match' : 'mismatch';
    return await this.#remembering(name, [password.reveal(), stored], Number.POSITIVE_INFINITY, async () =>
      (await verifies(password, name, stored)) ? 'match' : 'mismatch',
    );
  }

  async #try(name: string, password: Secret): Promise<Verdict> {
    if (isVerifier(password.reveal())) return 'unknown';
    return await this.#remembering(name, [password.reveal()], BELIEVED_MS, async () => {
      // An expired password is refused just as a wrong one is.
      const [row] = await this.#access.read(async (session) => await session.query(CAN_LOG_IN, [name]));
      if (row?.['can'] !== true) return 'unknown';
      try {
        await endClient(await this.#access.login(name, password.reveal()));
        return 'match';
      } catch (error) {
        if (!(error instanceof ResourceError) || error.code === undefined) return 'unknown';
        if (error.code === '28P01') return 'mismatch';
        return AFTER_PASSWORD.has(error.code) ? 'match' : 'unknown';
      }
    });
  }

  async #remembering(name: string, key: string[], lifeMs: number, work: () => Promise<Verdict>): Promise<Verdict> {
    const digest = this.#digest(key);
    const known = this.#known.get(name);
    if (known?.digest === digest && known.until > performance.now()) return known.verdict;
    const verdict = await work();
    // Only what a verifier proves stays wrong; a login may be let in the next time.
    if (verdict === 'match' || lifeMs === Number.POSITIVE_INFINITY)
      this.#known.set(name, { digest, verdict, until: performance.now() + lifeMs * (0.5 + Math.random()) });
    return verdict;
  }
}

const CAN_LOG_IN = `SELECT rolcanlogin AND coalesce(rolvaliduntil > now(), true) AS can FROM pg_roles WHERE rolname = $1`;

/** Refusals that come after the password was found right: no CONNECT, no such database, or one that takes nobody. */
const AFTER_PASSWORD: ReadonlySet<string> = new Set(['42501', '3D000', '55000']);
