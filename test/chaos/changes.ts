// The changes of a chaos run: nodes come, go, are drained and replaced, and replication goes up and down.
import type { Random } from '../../up/tour/random.js';
import type { ChaosFleet } from './fleet.js';

export interface ChosenChange {
  kind: string;
  method: string;
  path: string;
  body?: Record<string, unknown>;
  /** The node that comes or goes. */
  node?: string;
}

const FEWEST_NODES = 3;
const MOST_NODES = 5;

export async function chooseChange(fleet: ChaosFleet, random: Random): Promise<ChosenChange> {
  const { nodes } = await fleet.topology();
  const active = nodes.filter(({ state }) => state === 'active').map(({ id }) => id);
  const drained = nodes.filter(({ state }) => state === 'drained').map(({ id }) => id);
  const options = {
    retentionMs: random.pick([0, 0, 500, 2_000]),
    copyChunkDocuments: random.pick([25, 100]),
  };
  const remove = (id: string): ChosenChange => ({
    kind: 'remove',
    method: 'DELETE',
    path: `/_miroir/nodes/${id}?${new URLSearchParams(
      Object.entries(options).map(([name, value]): [string, string] => [name, String(value)]),
    )}`,
    node: id,
  });
  if (drained.length > 0) return remove(drained[0]!);
  const choices: (() => Promise<ChosenChange>)[] = [];
  if (active.length < MOST_NODES) {
    choices.push(async () => {
      const { id } = await fleet.cluster.spawnNode();
      return {
        kind: 'add',
        method: 'POST',
        path: '/_miroir/nodes',
        body: { nodes: [fleet.nodeInput(id)], ...options },
        node: id,
      };
    });
  }
  if (active.length > FEWEST_NODES) {
    const id = random.pick(active);
    choices.push(async () => remove(id));
    choices.push(async () => ({
      kind: 'drain',
      method: 'POST',
      path: `/_miroir/nodes/${id}/drain`,
      body: options,
    }));
  }
  return random.pick(choices)();
}
