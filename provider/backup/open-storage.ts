import type { Place } from './contract.ts';
import { FilesystemStorage } from './storage-filesystem.ts';
import { S3Storage } from './storage-s3.ts';
import type { Storage } from './storage.ts';

/** @throws RunError InvalidRequest when a file of credentials cannot be read. */
export const openStorage = (place: Place): Storage =>
  place.type === 's3' ? new S3Storage(place) : new FilesystemStorage(place);
