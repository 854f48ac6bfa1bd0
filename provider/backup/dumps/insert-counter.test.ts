import { expect, test } from 'vitest';
import { InsertCounter } from './insert-counter.ts';

const count = (text: string, size: number): Record<string, number> => {
  const counter = new InsertCounter();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) counter.update(bytes.subarray(at, at + size));
  expect(counter.complete).toBe(true);
  return Object.fromEntries(counter.tables);
};

const DUMP = `-- INSERT INTO \`no\` VALUES (1);
INSERT INTO \`a\` VALUES (1,'(x),(y)'),(2,'it''s \\'(\\\\'),(3,_binary ';\\n'),(4,NULL);
INSERT INTO \`ü \`\`;\` (\`x\`, \`y (z)\`) VALUES
(0xFF,-1.5e10),
('','');
INSERT INTO \`a\` VALUES (5,'end\\\\');
DELIMITER ;;
CREATE PROCEDURE p() BEGIN
INSERT INTO \`a\` VALUES (6,'in a body');
END ;;
DELIMITER ;
INSERT INTO \`b\` VALUES (1);
INSERT INTO \`c
INSERT INTO \`\`x\` VALUES (1),(2);
`;

test.each([1, 2, 3, 5, 16, 17, 1000])('rows are counted, cut into parts of %i bytes', (size) => {
  expect(count(DUMP, size)).toEqual({ a: 5, 'ü `;': 2, b: 1, 'c\nINSERT INTO `x': 2 });
});
