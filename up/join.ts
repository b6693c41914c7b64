// Brings the nodes that `miroir up` started or was given into the fleet, and waits until they hold their shards.
import { addNodes, describeProgress, listFleetNodes, waitForChange } from './changes.js';
import type { Fleet } from './fleet.js';
import type { Output } from './output.js';

const JOIN_DEADLINE_MS = 24 * 3_600_000;

/** Adds the nodes that the fleet does not know yet. A known id at another URL is refused. */
export async function joinNodes(fleet: Fleet, output: Output): Promise<void> {
  const api = fleet.adminApi();
  try {
    const known = await listFleetNodes(api);
    const missing = fleet.nodes.filter((node) => {
      const same = known.find((other) => other.url === node.url);
      if (same) return false;
      const clash = known.find((other) => other.id === node.id);
      if (clash) throw new Error(`node ${node.id} is known at ${clash.url}, not at ${node.url}`);
      return true;
    });
    if (missing.length === 0) return;
    output.line(`Adding:   ${missing.map((node) => node.id).join(', ')}`);
    const id = await addNodes(api, missing);
    const change = await waitForChange(api, id, JOIN_DEADLINE_MS, (view) =>
      output.status(describeProgress(view)),
    );
    if (change.status !== 'done') {
      throw new Error(`the nodes could not be added: ${describeProgress(change)} (${change.status})`);
    }
  } finally {
    await api.close();
  }
}
