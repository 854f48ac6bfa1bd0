/** Errors speak of the fields of a configuration; on the command line these are parts of a URL. */
const HERE: readonly [field: string, here: string][] = [
  ['tls.caSecretRef', 'sslrootcert=FILE of --server'],
  ['tls.clientCertSecretRef', 'sslcert=FILE and sslkey=FILE of --server'],
  ['tls.mode', 'sslmode of --server'],
  ['the credentials Secret', '--server and XDB_PASSWORD'],
];

export const inWordsOfTheCommandLine = (message: string): string =>
  HERE.reduce((text, [field, here]) => text.replaceAll(field, here), message);
