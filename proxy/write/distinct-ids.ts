// How many different documents a payload holds: Meilisearch counts one that stands in it twice once.

/** Counts 64-bit hashes without repetitions, at eight bytes each. */
export class DistinctIds {
  private hashes = new BigUint64Array(64);
  private size = 0;

  add(hashed: bigint): void {
    if (this.size === this.hashes.length) {
      const larger = new BigUint64Array(this.size * 2);
      larger.set(this.hashes);
      this.hashes = larger;
    }
    this.hashes[this.size++] = hashed;
  }

  count(): number {
    const sorted = this.hashes.subarray(0, this.size).sort();
    let distinct = 0;
    for (let at = 0; at < sorted.length; at++) if (at === 0 || sorted[at] !== sorted[at - 1]) distinct++;
    return distinct;
  }
}
