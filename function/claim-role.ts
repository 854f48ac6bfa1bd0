/** A login of the claim: what it may do, and the grants beyond its access level. */
import { z } from 'zod';
import { secretKeyRef } from '../provider/api/common.ts';
import { privilege } from '../provider/api/text.ts';
import { byName, label, passwordRotation, sessions, sqlName } from './claim-fields.ts';

export const ACCESS = ['owner', 'readWrite', 'readOnly', 'none'] as const;
export type Access = (typeof ACCESS)[number];

/** Most roles of one claim. */
export const MAX_ROLES = 32;
/** Most custom grants of one role. */
const MAX_GRANTS = 16;

const names = (what: string) => z.array(sqlName('One name, or * for all.')).min(1).max(64).optional().describe(what);

const customGrant = z
  .object({
    name: label(40).describe('Name of the grant in this role. Another name is another grant.'),
    privileges: z
      .array(privilege)
      .min(1)
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Privileges in the words of the server, e.g. SELECT or ALL.'),
    schema: sqlName('PostgreSQL and CockroachDB: schema that is granted on, or that holds the objects.').optional(),
    tables: names('Tables and views; * is all of them, those to come included.'),
    columns: z
      .array(sqlName('Name of a column.'))
      .min(1)
      .max(64)
      .optional()
      .describe('Columns of the one table in tables.'),
    sequences: names('Sequences of the schema; * is all of them.'),
    routines: names('Functions and procedures; * is all of them.'),
    withOption: z.boolean().optional().describe('Whether the role may pass the privileges on.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '[has(self.tables), has(self.sequences), has(self.routines)].filter(x, x).size() <= 1',
        message: 'one of tables, sequences and routines can be given: use one grant for each',
      },
      {
        rule: '!has(self.columns) || (has(self.tables) && self.tables.size() == 1)',
        message: 'columns needs exactly one table in tables',
      },
    ],
  });

export type CustomGrant = z.output<typeof customGrant>;

export const role = z.object({
  name: label(40).describe('Name of the role in this claim; its Secret is <name of the claim>-<name>.'),
  access: z
    .enum(ACCESS)
    .describe(
      'owner may make and change tables; readWrite may read and change rows and call routines; readOnly may read rows; none may log in to the database, and do what its grants say.',
    ),
  username: sqlName('Name on the server; <databaseName>_<name> when not given.').optional(),
  connectionLimit: sessions('Sessions at a time; -1 means no limit.'),
  memberOf: z
    .array(sqlName('Name on the server of a group role.'))
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe(
      'Other group roles that it joins, by their names on the server. On MariaDB the first applies from login on, and the others after SET ROLE.',
    ),
  grants: z
    .array(customGrant)
    .max(MAX_GRANTS)
    .meta(byName)
    .optional()
    .describe('Privileges beyond those of access, on what is in this database.'),
  passwordSecretRef: secretKeyRef('Secret with the password; when not given, one is generated.').optional(),
  passwordRotation: passwordRotation.describe(
    'When its generated password is replaced; that of the claim when not given.',
  ),
});

export type ClaimRole = z.output<typeof role>;
