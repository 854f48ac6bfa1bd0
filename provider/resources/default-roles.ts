/**
 * Groups whose rights a login has from the start. Where the server keeps them as a list of the login, apart from the
 * memberships, a group that is joined goes on the list too, as far as there is room: otherwise it would be of no use.
 */
import { invalidSpec } from '../common/errors.ts';
import type { Membership, RoleObserved } from './model/roles.ts';
import type { ServerInfo } from './model/server.ts';

export class DefaultRoles {
  readonly #room: 'one' | 'many' | undefined;
  readonly #leaving: readonly string[];
  #list: string[];

  constructor(
    observed: RoleObserved | undefined,
    { accounts }: ServerInfo,
    isLogin = observed?.attributes.login !== false,
    /** Groups that are about to be left, whose place on the list is free. */
    leaving: readonly string[] = [],
  ) {
    this.#leaving = leaving;
    // What a group is a member of applies wherever the group does.
    this.#room = isLogin ? accounts?.defaultRoles : undefined;
    this.#list = (observed?.memberOf ?? []).filter(({ inherit }) => inherit === true).map(({ role }) => role);
  }

  /** The membership that is wanted, with `inherit` as it is meant when the spec says nothing. */
  wish(wanted: Membership): Membership {
    if (this.#room === undefined) return wanted;
    const others = this.#list.filter((role) => role !== wanted.role && !this.#leaving.includes(role));
    const hasRoom = this.#room === 'many' || others.length === 0;
    if (wanted.inherit === true && !hasRoom)
      throw invalidSpec(
        `forProvider.memberOf: the default role is ${JSON.stringify(others[0])}, and there is one at a time; leave out inherit`,
      );
    const inherit = wanted.inherit ?? (hasRoom ? true : undefined);
    if (inherit === true && !this.#list.includes(wanted.role) && this.#room === 'one') this.#list = [wanted.role];
    return inherit === undefined ? wanted : { ...wanted, inherit };
  }

  /** The list as it has to be when `inherit` of that group changes; nothing when it stays as it is. */
  after(role: string, { admin, inherit }: Partial<Membership>): { defaultRoles?: string[] } {
    if (this.#room === undefined) return {};
    // Some servers take the option together with the membership, and with that its place on the list.
    if (inherit === undefined) return admin === false && this.#list.includes(role) ? { defaultRoles: this.#list } : {};
    const others = this.#list.filter((name) => name !== role && !(inherit && this.#leaving.includes(name)));
    if (!inherit && others.length === this.#list.length) return {};
    this.#list = inherit ? [...others, role] : others;
    return { defaultRoles: this.#list };
  }
}
