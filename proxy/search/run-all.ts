// Runs the queries of one request, several at a time.

/** Queries that run at the same time; more wait, so that one request cannot take all connections. */
const PARALLEL = 16;

/** The outcomes of all items in their order. Rejects with the first rejection. */
export async function runAll<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const outcomes: R[] = new Array(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      outcomes[at] = await run(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, work));
  return outcomes;
}
