/** Ways of logging in that the driver does not bring. */
import type { AuthPlugin } from 'mysql2';
import { ed25519Sign } from './ed25519.ts';
import { parsecAnswer } from './parsec.ts';

const ed25519: AuthPlugin =
  ({ connection }) =>
  (challenge) =>
    ed25519Sign(connection.config.password ?? '', challenge.subarray(0, 32));

const parsec: AuthPlugin = ({ connection }) => {
  let challenge: Buffer | undefined;
  return async (data) => {
    if (challenge !== undefined) return await parsecAnswer(connection.config.password ?? '', challenge, data);
    challenge = Buffer.from(data);
    // Nothing, which asks for factor and salt.
    return Buffer.alloc(0);
  };
};

export const authPlugins: Record<string, AuthPlugin> = { client_ed25519: ed25519, parsec };
