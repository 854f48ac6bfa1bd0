/** xdb convert: manifests of the predecessor and of provider-sql in, manifests of our kinds out. */
import { stringify } from 'yaml';
import { readManifests } from '../local/manifests.ts';
import { EXIT } from './commands.ts';
import { convert } from './convert/convert.ts';
import type { Output } from './output.ts';

export interface ConvertCommandOptions {
  filename: string[];
  namespace: string;
  adopt?: boolean;
  json?: boolean;
}

/**
 * Manifests go to standard output, what somebody should know about them to `notes`.
 * @returns 0, or 1 when something could not be converted.
 */
export function convertCommand(options: ConvertCommandOptions, output: Output, notes: Output): number {
  const { adopt = false, namespace } = options;
  const converted = convert(readManifests(options.filename), { adopt, namespace });
  if (options.json === true) output.json(converted);
  else {
    output.line(
      converted.objects
        .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
        .join('---\n')
        .trimEnd(),
    );
    for (const { object, message, isLost } of converted.notes)
      notes.line(`${isLost ? 'not converted' : 'note'}: ${object}: ${message}`);
  }
  return converted.notes.some(({ isLost }) => isLost) ? EXIT.failed : EXIT.done;
}
