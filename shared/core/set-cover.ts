// The smallest sets of nodes that together hold every shard. `holders[shard]` lists positions of nodes; a shard
// without holders is left out.

/** Positions of nodes, ascending. */
export type Cover = readonly number[];

/** Every cover of the smallest possible size, for few nodes: all subsets are tried, smaller ones first. */
export function coverExactly(holders: readonly (readonly number[])[], nodeCount: number): Cover[] {
  const masks = new Set(holders.map((nodes) => nodes.reduce((mask, node) => mask | (1 << node), 0)));
  masks.delete(0);
  const required = [...masks];
  for (let size = required.length === 0 ? 0 : 1; size <= nodeCount; size++) {
    const covers = subsetsOf(nodeCount, size).filter((subset) =>
      required.every((mask) => (mask & subset) !== 0),
    );
    if (covers.length > 0) return covers.map((subset) => positionsOf(subset, nodeCount));
  }
  return [[]];
}

/**
 * A small cover for many nodes: always the node that holds most of what is still uncovered, then the cheaper one,
 * then by `ties`; at the end nodes that became superfluous are dropped.
 */
export function coverGreedily(
  holders: readonly (readonly number[])[],
  costs: readonly number[],
  ties: readonly number[],
): Cover {
  const shardsOf: number[][] = costs.map(() => []);
  for (const [shard, nodes] of holders.entries()) for (const node of nodes) shardsOf[node]!.push(shard);
  const gains = shardsOf.map((shards) => shards.length);
  const covering = new Array<number>(holders.length).fill(0);
  const picked: number[] = [];
  for (let open = holders.filter((nodes) => nodes.length > 0).length; open > 0; ) {
    let best = 0;
    for (let node = 1; node < gains.length; node++) {
      const order = gains[node]! - gains[best]! || costs[best]! - costs[node]! || ties[best]! - ties[node]!;
      if (order > 0) best = node;
    }
    picked.push(best);
    for (const shard of shardsOf[best]!) {
      if (covering[shard]!++ > 0) continue;
      open--;
      for (const node of holders[shard]!) gains[node]!--;
    }
  }
  const needed = picked.filter((node) => {
    if (shardsOf[node]!.some((shard) => covering[shard] === 1)) return true;
    for (const shard of shardsOf[node]!) covering[shard]!--;
    return false;
  });
  return needed.sort((a, b) => a - b);
}

/** All bit sets of `size` out of `nodeCount`, by Gosper's hack. */
function subsetsOf(nodeCount: number, size: number): number[] {
  if (size === 0) return [0];
  const subsets: number[] = [];
  for (let subset = (1 << size) - 1; subset < 1 << nodeCount; ) {
    subsets.push(subset);
    const lowest = subset & -subset;
    const ripple = subset + lowest;
    subset = ripple | (((subset ^ ripple) >>> 2) / lowest);
  }
  return subsets;
}

function positionsOf(subset: number, nodeCount: number): number[] {
  const positions: number[] = [];
  for (let node = 0; node < nodeCount; node++) if (subset & (1 << node)) positions.push(node);
  return positions;
}
