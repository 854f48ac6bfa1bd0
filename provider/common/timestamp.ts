/** As Kubernetes writes times: RFC 3339 in UTC, to the second, which is also what crossplane-runtime parses. */
export const timestamp = (time: Date): string => time.toISOString().replace(/\.\d{3}Z$/, 'Z');
