/** What a database server of some version cannot make, and what no server can change later. */
import { TRAITS } from '../api/engines.ts';
import type { DatabaseParameters } from '../api/database.ts';
import { invalidSpec } from '../common/errors.ts';
import type { DatabaseObserved } from './model/databases.ts';
import type { ServerInfo } from './model/server.ts';

/** Fields of the spec, or values of them, by the major version of PostgreSQL that brought them. */
const SINCE: [what: string, isWanted: (spec: DatabaseParameters) => boolean, major: number][] = [
  ['strategy', ({ strategy }) => strategy !== undefined, 15],
  ['localeProvider', ({ localeProvider }) => localeProvider !== undefined, 15],
  ['icuRules', ({ icuRules }) => icuRules !== undefined, 16],
  ['localeProvider builtin', ({ localeProvider }) => localeProvider === 'builtin', 17],
];

export function refuseUnsupported(spec: DatabaseParameters, server: ServerInfo): void {
  if (TRAITS[server.engine].locales === undefined) return;
  for (const [what, isWanted, major] of SINCE)
    if (isWanted(spec) && server.major < major)
      throw invalidSpec(`forProvider.${what} needs PostgreSQL ${major} or newer; the server is ${server.product}`);
}

/** What a new database cannot be made of. */
export function refuseContradictions(spec: DatabaseParameters, server: ServerInfo): void {
  if (TRAITS[server.engine].locales === undefined) return;
  const hasProvider = spec.localeProvider === 'icu' || spec.localeProvider === 'builtin';
  if (spec.locale !== undefined && !hasProvider)
    throw invalidSpec(
      'forProvider.locale is for localeProvider icu or builtin; for libc give collation and characterClassification',
    );
  if (spec.icuRules !== undefined && spec.localeProvider !== 'icu')
    throw invalidSpec('forProvider.icuRules is for localeProvider icu');
  if (hasProvider && spec.locale === undefined && spec.template === undefined)
    throw invalidSpec(`forProvider.localeProvider ${spec.localeProvider} needs forProvider.locale`);
}

/** Differences that only a dump and a restore into a new database can remove. */
export function unchangeableDrift(spec: DatabaseParameters, observed: DatabaseObserved, server: ServerInfo): string[] {
  if (TRAITS[server.engine].locales === undefined) return [];
  const fixed: [field: string, wanted: string | undefined, is: string | undefined, normal: (text: string) => string][] =
    [
      ['encoding', spec.encoding, observed.encoding, normalEncoding],
      ['collation', spec.collation, observed.collation, normalLocale],
      ['characterClassification', spec.characterClassification, observed.characterClassification, normalLocale],
      ['localeProvider', spec.localeProvider, observed.localeProvider, String],
      ['locale', spec.locale, observed.locale, normalLocale],
      ['icuRules', spec.icuRules, observed.icuRules, String],
    ];
  return fixed
    .filter(([, wanted, is, normal]) => wanted !== undefined && is !== undefined && normal(wanted) !== normal(is))
    .map(
      ([field, wanted, is]) =>
        `forProvider.${field} is ${JSON.stringify(wanted)} and the database has ${JSON.stringify(is)}, which PostgreSQL cannot change: dump it and restore it into a new database`,
    );
}

/** Other names that PostgreSQL takes for an encoding; letters and digits alone count. */
const ENCODINGS: Record<string, string> = {
  unicode: 'utf8',
  iso88591: 'latin1',
  iso88592: 'latin2',
  iso88593: 'latin3',
  iso88594: 'latin4',
  iso88599: 'latin5',
  iso885910: 'latin6',
  iso885913: 'latin7',
  iso885914: 'latin8',
  iso885915: 'latin9',
  iso885916: 'latin10',
  windows1250: 'win1250',
  windows1251: 'win1251',
  win: 'win1251',
  windows1252: 'win1252',
  windows1253: 'win1253',
  windows1254: 'win1254',
  windows1255: 'win1255',
  windows1256: 'win1256',
  windows1257: 'win1257',
  windows1258: 'win1258',
  windows866: 'win866',
  alt: 'win866',
  windows874: 'win874',
  koi8: 'koi8r',
};

function normalEncoding(text: string): string {
  const clean = text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return ENCODINGS[clean] ?? clean;
}

/** en_US.UTF-8 and en_US.utf8 are one locale, and ICU writes en-US what others write en_US. */
const normalLocale = (text: string): string =>
  text
    .toLowerCase()
    .replace(/utf-8$/, 'utf8')
    .replaceAll('_', '-');
