/** Progress, kept apart from the result, which a program may read. */
export const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
