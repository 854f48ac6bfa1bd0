/** Ways of logging in that the driver does not bring. */
import type { AuthPlugin } from 'mysql2';
import { ed25519Sign } from './ed25519.ts';

const ed25519: AuthPlugin =
  ({ connection }) =>
  (challenge) =>
    ed25519Sign(connection.config.password ?? '', challenge.subarray(0, 32));

export const authPlugins: Record<string, AuthPlugin> = { client_ed25519: ed25519 };
