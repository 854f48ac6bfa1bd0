/** What a Secret holds is bytes; what we need of it is text. */
import { ResourceError } from './errors.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of a key as text. What is none is refused, as it would reach the server as another text than the programs
 * have that mount the Secret; and no server takes a zero byte in a password, a name or a file of text.
 * @param where Secret and key, in words.
 * @throws ResourceError with reason SecretNotText.
 */
export function secretText(encoded: string, where: string): string {
  let text: string | undefined;
  try {
    text = UTF8.decode(Buffer.from(encoded, 'base64'));
  } catch {
    text = undefined;
  }
  if (text === undefined || text.includes('\0'))
    throw new ResourceError(
      'SecretNotText',
      `${where} holds ${text === undefined ? 'what is no text (UTF-8)' : 'a zero byte'}; random bytes can be given as base64 or hex`,
    );
  return text;
}
