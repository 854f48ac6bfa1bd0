/** How an account logs in from now on, as statements need it: what a plugin stores, and the other ways that are kept. */
import { Secret } from '../../common/secret.ts';
import type { Step } from '../../resources/model/steps.ts';
import { isStoredString, storedString, takesPassword } from './authentication.ts';
import type { Authentication } from './compile/roles.ts';
import type { MysqlInfo } from './info.ts';
import { runPassword } from './jobs/logins.ts';
import { readAccounts } from './reads/roles.ts';
import type { StoredAccount, Way } from './reads/stored-account.ts';
import type { Session } from './session.ts';

type Credential = Extract<Step, { kind: 'createRole' | 'alterRole' | 'setPassword' }>;

export async function authenticationOf(
  session: Session,
  step: Credential,
  info: MysqlInfo,
): Promise<Authentication | undefined> {
  if (step.kind === 'setPassword') {
    const [account] = await readAccounts(session, [step], info);
    const kept = takesPassword(account?.plugin ?? '') ? account?.plugin : undefined;
    const plugin =
      step.plugin || (step.plugin === undefined ? kept : undefined) || pluginFor(step.password.reveal(), info);
    return { ...(await withPassword(plugin, step.password, info)), ...otherWays(account, step.retain === true) };
  }
  if (step.kind === 'alterRole' && step.discardOldPassword === true) return await onePassword(session, step, info);
  const { plugin } = step;
  if (plugin?.authString !== undefined) return { plugin: plugin.name, stored: Buffer.from(plugin.authString) };
  if (step.kind === 'createRole' && step.password !== undefined) {
    const name = plugin?.name ?? pluginFor(step.password.reveal(), info);
    return await withPassword(name, step.password, info);
  }
  return plugin === undefined ? undefined : { plugin: plugin.name };
}

/** What the plugin stores, so that no password is in a statement; unless the server insists on seeing it. */
async function withPassword(plugin: string, password: Secret, { checksPasswords }: MysqlInfo): Promise<Authentication> {
  if (checksPasswords && takesPassword(plugin) && !isStoredString(plugin, password.reveal()))
    return { plugin, password };
  return { plugin, stored: await storedString(plugin, password.reveal()) };
}

/** A text that some plugin stores, instead of a password, says by itself which plugin it is for. */
function pluginFor(password: string, { defaultPlugin }: MysqlInfo): string {
  const stored = ['caching_sha2_password', 'sha256_password', 'mysql_native_password'].find((plugin) =>
    isStoredString(plugin, password),
  );
  if (stored !== undefined) return stored;
  return takesPassword(defaultPlugin) ? defaultPlugin : 'caching_sha2_password';
}

const asAuthentication = ({ plugin, stored }: Way): Authentication => ({
  plugin,
  stored: Buffer.from(stored.reveal(), 'hex'),
});

/**
 * The other ways of an account to log in, which a new password leaves alone; where an account may have several, the old
 * password is one more of them for as long as it is retained.
 */
function otherWays(account: StoredAccount | undefined, retain: boolean): Pick<Authentication, 'before' | 'after'> {
  const ways = account?.ways ?? [];
  const first = ways.findIndex(({ plugin }) => takesPassword(plugin));
  if (first < 0) return {};
  const kept = ways.slice(first + 1).filter(({ plugin }) => !takesPassword(plugin));
  return {
    before: ways.slice(0, first).map(asAuthentication),
    after: [...(retain ? ways.slice(first, first + 1) : []), ...kept].map(asAuthentication),
  };
}

/** On MariaDB the old password goes when all other ways are said again; MySQL has a word for it. */
async function onePassword(
  session: Session,
  step: Extract<Step, { kind: 'alterRole' }>,
  info: MysqlInfo,
): Promise<Authentication | undefined> {
  if (info.engine === 'mysql') return undefined;
  const [account] = await readAccounts(session, [step], info);
  const way = account?.ways.find(({ plugin }) => takesPassword(plugin));
  return way === undefined ? undefined : { ...asAuthentication(way), ...otherWays(account, false) };
}

const NOBODYS_PLUGIN = 'caching_sha2_password';

/** A role has no password, which a policy takes for a weak one: then it gets one that nobody knows. */
export const nobodys = async (info: MysqlInfo): Promise<Authentication> =>
  await withPassword(NOBODYS_PLUGIN, new Secret(runPassword()), info);
