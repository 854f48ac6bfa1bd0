/** The two servers that this engine speaks to. */

export type Flavour = 'mysql' | 'mariadb';
