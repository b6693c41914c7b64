// Removes what Miroir adds to nodes from their error messages: physical index names, the hidden field, the hidden
// sortable primary key, and attributes that the user does not display.
import { SHARD_FIELD } from './topology.js';

export interface HiddenParts {
  /** What the client calls the index, by its physical name. */
  readonly names: ReadonlyMap<string, string>;
  readonly primaryKey: string | null;
  readonly sortable: readonly string[];
  /** The user's displayed attributes, or null for all. */
  readonly displayed: readonly string[] | null;
}

const LISTS: readonly {
  /** What stands before the list. */
  lead: string;
  /** What stands instead when the list would be empty; null keeps an empty list. */
  none: string | null;
  kind: 'sortable' | 'filterable' | 'searchable';
  /** Meilisearch hides attributes that are not displayed from this list. */
  hides: boolean;
}[] = [
  {
    lead: 'Available sortable attributes are: ',
    none: 'This index does not have configured sortable attributes.',
    kind: 'sortable',
    hides: true,
  },
  {
    lead: 'cannot be used as distinct attribute. Available filterable attributes patterns are: ',
    none: 'cannot be used as distinct attribute. This index does not have configured filterable attributes.',
    kind: 'filterable',
    hides: true,
  },
  {
    lead: 'is not filterable. Available filterable attributes patterns are: ',
    none: 'is not filterable. This index does not have configured filterable attributes.',
    kind: 'filterable',
    hides: false,
  },
  {
    lead: 'Available filterable attribute patterns are: ',
    none: 'This index does not have configured filterable attributes.',
    kind: 'filterable',
    hides: false,
  },
  {
    lead: 'Available facet-searchable attributes patterns are: ',
    none: 'This index does not have configured facet-searchable attributes.',
    kind: 'filterable',
    hides: true,
  },
  { lead: 'Available searchable attributes are: ', none: null, kind: 'searchable', hides: true },
];

/** The message as a Meilisearch without Miroir's additions would put it. */
export function cleanMessage(message: string, hidden: HiddenParts): string {
  let text = message;
  // Longer names first: one may begin with another.
  const names = [...hidden.names].sort((left, right) => right[0].length - left[0].length);
  for (const [physical, uid] of names) text = text.replaceAll(physical, uid);
  for (const list of LISTS) {
    const at = text.indexOf(list.lead);
    if (at < 0) continue;
    const from = at + list.lead.length;
    const end = text.indexOf('`.', from);
    if (end < 0) continue;
    const separate = text.slice(from, end + 1).includes('`, `');
    const items = text
      .slice(from + 1, end)
      .split(separate ? '`, `' : ', ')
      .filter((item) => isOwn(item, list.kind, hidden));
    const { shown, rest } = list.hides
      ? hideUndisplayed(items, hidden.displayed)
      : { shown: items, rest: false };
    const lead = text.slice(0, at);
    const tail = text.slice(end + 2);
    if (shown.length === 0 && list.none !== null) text = `${lead}${list.none}${tail}`;
    else {
      const joined = shown.join(separate ? '`, `' : ', ');
      text = `${lead}${list.lead}\`${joined}${rest ? ', <..hidden-attributes>' : ''}\`.${tail}`;
    }
    break;
  }
  return text;
}

function isOwn(item: string, kind: string, hidden: HiddenParts): boolean {
  if (item === SHARD_FIELD) return false;
  return kind !== 'sortable' || item !== hidden.primaryKey || hidden.sortable.includes(item);
}

function hideUndisplayed(
  items: readonly string[],
  displayed: readonly string[] | null,
): { shown: readonly string[]; rest: boolean } {
  if (displayed === null) return { shown: items, rest: false };
  const shown = items.filter((item) => displayed.includes(item));
  return { shown, rest: shown.length < items.length };
}
