/** The major versions of PostgreSQL that we promise to work with. */

/** The oldest that most clouds start new servers with and the newest: what every run tests. */
export const usualMajors = [15, 18] as const;

/** The rest, in the project `matrix`. */
export const otherMajors = [13, 14, 16, 17] as const;

export type PostgresMajor = (typeof usualMajors | typeof otherMajors)[number];

/** How a project tells its tests which of them to use. */
export const MAJORS_VARIABLE = 'XDB_TEST_POSTGRES_MAJORS';

export function majorsOfProject(listed: string | undefined): readonly PostgresMajor[] {
  const all: readonly PostgresMajor[] = [...usualMajors, ...otherMajors];
  const wanted = listed?.split(',').map(Number);
  return wanted === undefined ? usualMajors : all.filter((major) => wanted.includes(major)).toSorted((a, b) => a - b);
}
