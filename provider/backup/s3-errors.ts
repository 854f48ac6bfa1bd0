import { RunError } from './errors.ts';

interface S3Failure {
  name?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
}

export const statusOf = (error: unknown): number | undefined => (error as S3Failure)?.$metadata?.httpStatusCode;

const DENIED =
  /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|Forbidden|CredentialsProviderError|TokenRefreshRequired|InvalidIdentityToken|IDPRejectedClaim|AccountProblem|AllAccessDisabled|XAdminUserNotFound)/;
const FULL = /^(QuotaExceeded|XMinioStorageFull|EntityTooLarge|StorageFull|InsufficientStorage|NoSpace|TooManyParts)/;

/** A failure of the S3 client as ours. What `body` threw, and a signal, stay as they are. */
export function s3Error(error: unknown, storage: string, doing: string): unknown {
  const { name = '', message = '' } = error as S3Failure;
  if (error instanceof RunError || name === 'AbortError') return error;
  const status = statusOf(error);
  const said = `${storage}: ${doing}: ${name}${message === '' || message === name ? '' : `: ${message}`}`;
  const failure = (reason: ConstructorParameters<typeof RunError>[0]): RunError =>
    new RunError(reason, said, { cause: error });
  if (name === 'NoSuchBucket') return failure('BucketNotFound');
  if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict' || status === 412)
    return failure('AlreadyExists');
  if (DENIED.test(name) || status === 401 || status === 403) return failure('StorageDenied');
  if (FULL.test(name) || status === 507) return failure('StorageFull');
  if (name === 'NoSuchKey' || name === 'NotFound' || status === 404) return failure('FileMissing');
  return failure('StorageUnavailable');
}
