/**
 * Which password a Role has: the one in passwordSecretRef, else the one in its connection Secret, else a new one.
 * The Secret is the truth; the server is made to agree with it, so an edit of the Secret is all that a change takes.
 */
import { randomInt } from 'node:crypto';
import type { Managed } from '../../api/kind.ts';
import type { RoleParameters } from '../../api/role.ts';
import { parseDuration } from '../../common/duration.ts';
import { ResourceError } from '../../common/errors.ts';
import { Secret } from '../../common/secret.ts';
import { buildConnectionDetails } from '../../resources/connection-details.ts';
import type { Plan, PlanContext } from '../../resources/planner.ts';
import { externalNameOf, hasCreated } from '../../runtime/managed/annotations.ts';
import type { Details } from '../../runtime/managed/external.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';
import { secretText } from '../../common/secret-text.ts';
import type { ServerConnection } from '../servers/connection.ts';
import type { Credentials } from './external.ts';

/** @param isNew the Secret is most likely yet to be made; one that nobody has told us of may count as absent */
export type SecretReader = (namespace: string, name: string, isNew?: boolean) => Promise<SecretObject | undefined>;

/** Safe in every URI and option file: 32 of 64 are 192 bits, and a little less as some of each kind are wanted. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const PASSWORD_LENGTH = 32;
/** What the policies of servers ask for; and no hyphen where a program would take it for an option. */
const POLICY = [/^[A-Za-z0-9]/, /[A-Z]/, /[a-z]/, /[0-9]/, /[-_]/];
/** Long enough for a changed Secret to reach the pods that mount it. */
const OVERLAP_MS = 10 * 60_000;

export function generatePassword(): Secret {
  for (;;) {
    const drawn = Array.from({ length: PASSWORD_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
    if (POLICY.every((kind) => kind.test(drawn))) return new Secret(drawn);
  }
}

export class SecretCredentials implements Credentials {
  readonly #read: SecretReader;
  readonly #now: () => Date;

  constructor(read: SecretReader, now: () => Date) {
    this.#read = read;
    this.#now = now;
  }

  async password(resource: Managed): Promise<PlanContext['password']> {
    if (resource.kind !== 'Role') return undefined;
    const spec = resource.spec.forProvider as unknown as RoleParameters;
    if (spec.privileges?.login === false) return undefined;
    const namespace = resource.metadata.namespace ?? '';
    if (spec.passwordSecretRef !== undefined) {
      const { name, key } = spec.passwordSecretRef;
      const secret = await this.#read(namespace, name);
      return {
        value: givenPassword(secret, namespace, name, key ?? 'password', externalNameOf(resource)),
        generated: false,
      };
    }
    const connection = resource.spec.writeConnectionSecretToRef?.name;
    // Without a Secret to put it in, a generated password would be known to nobody: such a role logs in by certificate.
    if (connection === undefined) return undefined;
    // What is there already, on the server or by an earlier attempt, has a password that must not be missed.
    const isNew = !spec.adopt && !hasCreated(resource);
    const secret = await this.#read(namespace, connection, isNew);
    const encoded = secret?.data?.['password'];
    const stored =
      encoded === undefined
        ? undefined
        : secretText(encoded, `key "password" of Secret ${JSON.stringify(`${namespace}/${connection}`)}`);
    const changedAt = momentIn(resource.status?.atProvider?.['passwordChangedAt']);
    const overlap = spec.passwordRotation?.overlap;
    const overlapMs = overlap === undefined ? OVERLAP_MS : parseDuration(overlap);
    if (stored && !this.#isDue(resource, spec, changedAt))
      return {
        value: new Secret(stored),
        generated: true,
        overlapMs,
        ...(changedAt === undefined ? {} : { changedAt }),
      };
    return { value: generatePassword(), generated: true, overlapMs, changedAt: this.#now().toISOString() };
  }

  atProvider(resource: Managed, context: PlanContext): Record<string, unknown> {
    if (context.password === undefined || !context.password.generated) return {};
    const trigger = (resource.spec.forProvider as unknown as RoleParameters).passwordRotation?.trigger;
    return {
      ...(trigger === undefined ? {} : { passwordTrigger: trigger }),
      passwordChangedAt: context.password.changedAt ?? this.#now().toISOString(),
    };
  }

  details(resource: Managed, connection: ServerConnection, plan: Plan, context: PlanContext): Details {
    if (resource.metadata.deletionTimestamp !== undefined || resource.spec.writeConnectionSecretToRef === undefined)
      return {};
    const { host, port, tlsMode } = connection.endpoint;
    const spec = resource.spec.forProvider;
    const isRole = resource.kind === 'Role';
    const database = isRole
      ? (spec['connectionDatabase'] as string | undefined)
      : resource.kind === 'Database'
        ? context.externalName
        : (spec['database'] as string | undefined);
    return {
      ...buildConnectionDetails({
        engine: context.reader.server.engine,
        host,
        port,
        tlsMode,
        ...(isRole ? { username: context.externalName } : {}),
        ...(context.password === undefined || plan.passwordless === true ? {} : { password: context.password.value }),
        ...(database === undefined ? {} : { database }),
      }),
      ...plan.connectionDetails,
    };
  }

  #isDue(resource: Managed, spec: RoleParameters, changedAt: string | undefined): boolean {
    const rotation = spec.passwordRotation;
    const seen = resource.status?.atProvider;
    if (rotation === undefined || seen === undefined) return false;
    if (rotation.trigger !== undefined && seen['passwordTrigger'] !== rotation.trigger) return true;
    if (rotation.every === undefined || changedAt === undefined) return false;
    return this.#now().getTime() - Date.parse(changedAt) >= parseDuration(rotation.every);
  }
}

/** A status may be edited by hand, and with what is no time the password would never be changed again. */
const momentIn = (value: unknown): string | undefined =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined;

/** One trailing line break is dropped: files made with `echo` have one, passwords do not. */
const withoutLineBreak = (text: string): string => text.replace(/\r?\n$/, '');

function givenPassword(
  secret: SecretObject | undefined,
  namespace: string,
  name: string,
  key: string,
  role: string,
): Secret {
  const where = `Secret ${JSON.stringify(`${namespace}/${name}`)}`;
  if (secret === undefined)
    throw new ResourceError('SecretNotFound', `forProvider.passwordSecretRef: ${where} does not exist`);
  const encoded = secret.data?.[key];
  if (encoded === undefined)
    throw new ResourceError(
      'SecretKeyNotFound',
      `forProvider.passwordSecretRef: ${where} has no key ${JSON.stringify(key)}; it has ${
        Object.keys(secret.data ?? {})
          .toSorted()
          .join(', ') || 'none'
      }`,
    );
  const username = secret.data?.['username'];
  if (
    secret.type === 'kubernetes.io/basic-auth' &&
    username !== undefined &&
    Buffer.from(username, 'base64').toString('utf8') !== role
  )
    throw new ResourceError(
      'SecretMismatch',
      `forProvider.passwordSecretRef: key "username" of ${where} names another role than ${JSON.stringify(role)}`,
    );
  const password = withoutLineBreak(
    secretText(encoded, `forProvider.passwordSecretRef: key ${JSON.stringify(key)} of ${where}`),
  );
  if (password === '')
    throw new ResourceError(
      'SecretKeyEmpty',
      `forProvider.passwordSecretRef: key ${JSON.stringify(key)} of ${where} is empty`,
    );
  return new Secret(password);
}
