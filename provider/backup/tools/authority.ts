import { rootCertificates } from 'node:tls';
import type { ToolServer } from './tool.ts';

/**
 * PEM of the authorities that a server's certificate may come from. Where none is given these are the public ones, as
 * everywhere in Node: engine images need not have any of their own.
 */
export function authority({ mode, ca }: ToolServer['tls']): string | undefined {
  if (ca !== undefined || !mode.startsWith('verify')) return ca;
  return `${rootCertificates.join('\n')}\n`;
}
