/** Values of ALTER … SET: in a list, a literal of its own for each item; one literal would be one item. */
import { isListSetting, splitList } from '../../../resources/settings.ts';
import { join, literal, type Sql } from '../sql.ts';

export const settingValue = (name: string, value: string): Sql =>
  isListSetting(name) && value.trim() !== '' ? join(splitList(value).map(literal)) : literal(value);
