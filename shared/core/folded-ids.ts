// Which ids Meilisearch may sort as one: it compares them in lower case and by their first bytes only. An index needs
// ids with capitals beside ids with small letters for that, or very long ones.

/** Bytes of an id that Meilisearch sorts by. */
const SORTED_BYTES = 468;
const CAPITAL = 1;
const SMALL = 2;
const LONG = 4;

/** What the ids of a payload, or of an index, are written with; kept as bits that only ever join. */
export class IdKinds {
  bits = 0;

  add(id: string): void {
    if ((this.bits & CAPITAL) === 0 && /[A-Z]/.test(id)) this.bits |= CAPITAL;
    if ((this.bits & SMALL) === 0 && /[a-z]/.test(id)) this.bits |= SMALL;
    if (id.length > SORTED_BYTES) this.bits |= LONG;
  }
}

/** Whether two ids of these kinds can be one to Meilisearch's sort. */
export function mayFold(bits: number): boolean {
  return (bits & LONG) !== 0 || (bits & (CAPITAL | SMALL)) === (CAPITAL | SMALL);
}
