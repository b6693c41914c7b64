// The changes of a chaos run: nodes come, go, are drained, replaced and given other weights, replication goes up and
// down, and what has been done is taken back.
import type { Topology } from '../../shared/core/topology.js';
import type { Random } from '../../up/tour/random.js';
import type { ChaosFleet } from './fleet.js';

export interface ChosenChange {
  kind: string;
  method: string;
  path: string;
  body?: Record<string, unknown>;
  /** Nodes that come or go: their processes end once they do not belong to the fleet. */
  nodes: string[];
  /** Its sources are kept long enough to be taken back, which is the next change. */
  isTakenBack: boolean;
}

interface Choice {
  weight: number;
  make: () => Promise<Omit<ChosenChange, 'isTakenBack'>>;
}

const FEWEST_NODES = 3;
const MOST_NODES = 5;
const LONG_RETENTION_MS = 600_000;

/** `leaving` are the nodes that an earlier change takes out of the fleet when its retention ends. */
export async function chooseChange(
  fleet: ChaosFleet,
  random: Random,
  leaving: ReadonlySet<string>,
): Promise<ChosenChange> {
  const topology = await fleet.topology();
  const nodes = topology.nodes.filter(({ id }) => !leaving.has(id));
  const choices = listChoices({ ...topology, nodes }, fleet, random);
  const chosen = pickWeighted(choices, random);
  const change = await chosen.make();
  // A removed node has nothing left that could be taken back.
  const isTakenBack = ['add', 'drain', 'set'].includes(change.kind) && random.below(4) === 0;
  const options = {
    retentionMs: isTakenBack ? LONG_RETENTION_MS : random.pick([0, 0, 500, 2_000]),
    copyChunkDocuments: random.pick([25, 100]),
    concurrency: 8,
    nodeConcurrency: random.pick([2, 4, 8]),
  };
  if (change.method !== 'DELETE') return { ...change, body: { ...change.body, ...options }, isTakenBack };
  const query = new URLSearchParams(
    Object.entries(options).map(([name, value]): [string, string] => [name, String(value)]),
  );
  return { ...change, path: `${change.path}?${query}`, isTakenBack };
}

function listChoices(topology: Topology, fleet: ChaosFleet, random: Random): Choice[] {
  const inState = (state: string) =>
    topology.nodes.filter((node) => node.state === state).map(({ id }) => id);
  const active = inState('active');
  const remove = (id: string): Choice => ({
    weight: 1,
    make: async () => ({ kind: 'remove', method: 'DELETE', path: `/_miroir/nodes/${id}`, nodes: [id] }),
  });
  const [drained] = inState('drained');
  if (drained !== undefined) return [remove(drained)];
  const one = random.pick(active);
  const choices: Choice[] = [
    {
      weight: 1,
      make: async () => ({
        kind: 'set',
        method: 'PATCH',
        path: `/_miroir/nodes/${one}`,
        body: { weight: random.pick([1, 2, 3]) },
        nodes: [],
      }),
    },
    {
      weight: 1,
      make: async () => {
        const factor = topology.indexes.find(({ uid }) => uid === 'busy')!.replicationFactor;
        const body = { replication: [{ index: 'busy', factor: factor === 2 ? 3 : 2 }] };
        return { kind: 'set-replication', method: 'POST', path: '/_miroir/replication', body, nodes: [] };
      },
    },
    {
      weight: 2,
      make: async () => {
        const { id } = await fleet.takeNode();
        const body = fleet.nodeInput(id);
        return {
          kind: 'replace',
          method: 'POST',
          path: `/_miroir/nodes/${one}/replace`,
          body,
          nodes: [one, id],
        };
      },
    },
  ];
  if (active.length < MOST_NODES) {
    choices.push({
      weight: 4,
      make: async () => {
        const { id } = await fleet.takeNode();
        return {
          kind: 'add',
          method: 'POST',
          path: '/_miroir/nodes',
          body: { nodes: [fleet.nodeInput(id)] },
          nodes: [id],
        };
      },
    });
  }
  if (active.length > FEWEST_NODES) {
    choices.push({ ...remove(one), weight: 2 });
    choices.push({
      weight: 2,
      make: async () => ({
        kind: 'drain',
        method: 'POST',
        path: `/_miroir/nodes/${one}/drain`,
        body: {},
        nodes: [],
      }),
    });
  }
  return choices;
}

function pickWeighted(choices: Choice[], random: Random): Choice {
  let left = random.below(choices.reduce((sum, { weight }) => sum + weight, 0));
  return choices.find(({ weight }) => {
    left -= weight;
    return left < 0;
  })!;
}
