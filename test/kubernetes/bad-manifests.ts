/**
 * Manifests that must be refused: an example with one change, and what an API server and the command line have to say.
 * The answer has to name the field and what would be right.
 */
import { badServerManifests } from './bad-server-manifests.ts';
import { badSqlManifests } from './bad-sql-manifests.ts';
import type { BadManifest } from './manifests.ts';

export const badManifests: BadManifest[] = [...badSqlManifests, ...badServerManifests];
