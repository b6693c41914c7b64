// Settings drift: what each node answers against what the journal says, hidden parts included.
import { settingsDrift } from '../../shared/core/settings-drift.js';
import type { NodeId } from '../../shared/core/topology.js';
import { NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import type { ItemDetail, ItemOutcome, VerificationItem } from '../../shared/io/store-verifications.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { readFromNode } from '../moves/shard-source.js';
import { awaitPositions, liveIndex } from './replicas.js';
import { EQUAL } from './shard.js';

export async function compareSettings(
  deps: ActivityDeps,
  item: VerificationItem,
  beat: Beat,
): Promise<ItemOutcome> {
  const index = liveIndex(await deps.store.readTopology(), item.incarnation);
  if (index === null)
    return { ...EQUAL, status: 'skipped', detail: { reason: 'the index has been deleted' } };
  const drift: NonNullable<ItemDetail['drift']> = {};
  const unchecked: NonNullable<ItemDetail['unchecked']> = [];
  for (const node of Object.keys(index.physicalNames).sort()) {
    const found = await driftOf(deps, item, node, beat);
    if (typeof found === 'string') unchecked.push({ node, reason: found });
    else if (found.length > 0) drift[node] = found;
  }
  const isDrift = Object.keys(drift).length > 0;
  return {
    ...EQUAL,
    status: isDrift ? 'different' : unchecked.length > 0 ? 'unchecked' : 'equal',
    detail: { ...(isDrift && { drift }), ...(unchecked.length > 0 && { unchecked }) },
  };
}

/** The keys that differ on a node, or the sentence why it cannot be told. */
async function driftOf(
  deps: ActivityDeps,
  item: VerificationItem,
  node: NodeId,
  beat: Beat,
): Promise<string[] | string> {
  const { store } = deps;
  for (;;) {
    const { journalHead: from } = await store.readHead();
    const [late] = await awaitPositions(deps, [node], from, beat);
    if (late) return late.reason;
    const settings = await store.readSettingsAt(item.incarnation, from);
    let drift: string[];
    try {
      drift = await readFromNode(deps, item, node, async (client, name, index) => {
        const path = `/indexes/${name}/settings`;
        const actual = await client.json<Record<string, unknown>>({
          method: 'GET',
          path,
          signal: beat.signal,
          admin: true,
        });
        return settingsDrift(settings, index.primaryKey, actual);
      });
    } catch (error) {
      if (!(error instanceof NodeUnreachable || error instanceof NodeRefusal)) throw error;
      return error.message;
    }
    if (drift.length === 0) return [];
    const { journalHead: upTo } = await store.readHead();
    // Settings that were on their way say nothing: look again.
    if (!(await store.readTouches(item.incarnation, 0, from, upTo)).blind) return drift;
    await beat.sleep(50);
  }
}
