/** An account or role as a server stores it, whichever of the two it is. */
import type { Secret } from '../../../common/secret.ts';
import type { AccountObserved, RoleObserved } from '../../../resources/model/roles.ts';

/** `host` is '' for a role of MariaDB. */
export interface StoredAccount {
  user: string;
  host: string;
  isRole: boolean;
  plugin: string;
  /** What the plugin compares a password with, in hexadecimal capitals. */
  stored: Secret;
  /** All ways to log in, where there may be several, in the server's order. */
  ways: readonly Way[];
  /** Roles of MariaDB that are marks of this account, or were made to be. */
  marks?: readonly string[];
  observed: RoleObserved;
}

/** One way of an account to log in. */
export interface Way {
  plugin: string;
  stored: Secret;
}

/** 0 stands for no limit. */
export const limitOf = (value: unknown): number => (Number(value) > 0 ? Number(value) : -1);

export const requirement = (
  type: 'NONE' | 'SSL' | 'X509' | 'SPECIFIED' = 'NONE',
  subject: string | null = '',
  issuer: string | null = '',
  cipher: string | null = '',
): NonNullable<AccountObserved['require']> => ({
  type,
  ...(subject === null || subject === '' ? {} : { subject }),
  ...(issuer === null || issuer === '' ? {} : { issuer }),
  ...(cipher === null || cipher === '' ? {} : { cipher }),
});
