// All classes. A class is exact unless it says why not: `npm run exactness` fails when hits of an exact class differ.
import { ERROR_CLASSES, ROUTE_CLASSES } from './classes-routes.js';
import { CITY_CLASSES, SETTING_CLASSES } from './classes-settings.js';
import { SORT_CLASSES } from './classes-sorts.js';
import { WORD_CLASSES } from './classes-words.js';
import type { QueryClass } from './query-class.js';

export const CLASSES: readonly QueryClass[] = [
  ...WORD_CLASSES,
  ...SORT_CLASSES,
  ...CITY_CLASSES,
  ...SETTING_CLASSES,
  ...ROUTE_CLASSES,
  ...ERROR_CLASSES,
];

/** The classes with these names, or all. Throws for a name that there is not. */
export function chooseClasses(names: readonly string[] | null): QueryClass[] {
  if (names === null) return [...CLASSES];
  const unknown = names.filter((name) => !CLASSES.some((kind) => kind.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `there is no class ${unknown.join(', ')}; there are: ${CLASSES.map((kind) => kind.name).join(', ')}`,
    );
  }
  return CLASSES.filter((kind) => names.includes(kind.name));
}
