import { describe, expect, test } from 'vitest';
import { LineRewriter } from './sql-lines.ts';

const rewrite = (text: string, size = text.length): string => {
  const rewriter = new LineRewriter();
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(...rewriter.update(bytes.subarray(at, at + size)));
  out.push(...rewriter.end());
  return Buffer.concat(out).toString();
};

const DUMP = `/*M!999999\\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 11.8
--

SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;
SET @@SESSION.SQL_LOG_BIN= 0;
SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,
4e11fa47-71ca-11e1-9e33-c80aa9429562:1-9';
CREATE TABLE \`t\` (
  \`a\` text DEFAULT 'x'
) ENGINE=InnoDB;
CREATE TABLE \`s\` (
  \`id\` int DEFAULT nextval(\`so\`\`urce\`.\`n\`),
  \`x\` text COMMENT ' DEFAULT nextval(\`a\`.\`b\`)'
) ENGINE=InnoDB;
INSERT INTO \`t\` VALUES ('/*!50013 DEFINER=\`a\`@\`b\` SQL SECURITY DEFINER */;'),
('CREATE DEFINER=\`a\`@\`b\` PROCEDURE');
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=\`ro\`\`ot\`@\`%\` SQL SECURITY DEFINER */
/*!50001 VIEW \`v\` AS select 1 AS \`1\` */;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`root\`@\`localhost\`*/ /*!50003 TRIGGER \`x\` BEFORE INSERT ON \`t\` FOR EACH ROW SET @a = 1 */;;
CREATE DEFINER=\`root\`@\`localhost\` PROCEDURE \`p\`()
BEGIN
  SELECT 1;
CREATE DEFINER=\`kept\`@\`here\`
SET @@GLOBAL.kept = 1;
END ;;
/*!50106 CREATE*/ /*!50117 DEFINER=\`root\`@\`localhost\`*/ /*!50106 EVENT \`e\` ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;;
DELIMITER ;
ALTER DATABASE \`so\`\`urce\` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
CREATE DEFINER=\`role\` FUNCTION \`f\`() RETURNS int RETURN 1;
CREATE DEFINER="ro""ot"@"%" FUNCTION "g"() RETURNS int RETURN 1;
/*!50106 CREATE*/ /*!50117 DEFINER="root"@"%"*/ /*!50106 EVENT "e" ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;
-- Dump completed
`;

const EXPECTED = `-- MariaDB dump 10.19  Distrib 11.8
--

CREATE TABLE \`t\` (
  \`a\` text DEFAULT 'x'
) ENGINE=InnoDB;
CREATE TABLE \`s\` (
  \`id\` int DEFAULT nextval(\`n\`),
  \`x\` text COMMENT ' DEFAULT nextval(\`a\`.\`b\`)'
) ENGINE=InnoDB;
INSERT INTO \`t\` VALUES ('/*!50013 DEFINER=\`a\`@\`b\` SQL SECURITY DEFINER */;'),
('CREATE DEFINER=\`a\`@\`b\` PROCEDURE');
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW \`v\` AS select 1 AS \`1\` */;
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER \`x\` BEFORE INSERT ON \`t\` FOR EACH ROW SET @a = 1 */;;
CREATE PROCEDURE \`p\`()
BEGIN
  SELECT 1;
CREATE DEFINER=\`kept\`@\`here\`
SET @@GLOBAL.kept = 1;
END ;;
/*!50106 CREATE*/ /*!50106 EVENT \`e\` ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;;
DELIMITER ;
ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
CREATE FUNCTION \`f\`() RETURNS int RETURN 1;
CREATE FUNCTION "g"() RETURNS int RETURN 1;
/*!50106 CREATE*/ /*!50106 EVENT "e" ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;
-- Dump completed
`;

describe('a dump becomes one that anybody can load anywhere', () => {
  test.each([1, 2, 3, 7, 64, 1000, 100_000])('in parts of %i bytes', (size) => {
    expect(rewrite(DUMP, size)).toBe(EXPECTED);
  });

  test('a row of any length passes as it is', () => {
    const row = `INSERT INTO \`t\` VALUES ('${'x\\nCREATE DEFINER=`a`@`b` '.repeat(100_000)}');\n`;
    expect(rewrite(row, 65_536)).toBe(row);
  });
});
