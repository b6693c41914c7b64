// Watches the nodes and heals the fleet (`miroir/heal/<cluster>`): one long activity looks, and ends when something is to
// be healed. The change that heals is a topologyChange like any other, one at a time; the watch goes on beside it.
import { continueAsNew, setCurrentDetails, sleep } from '@temporalio/workflow';
import { startHealing } from './run-healing.js';
import { meta, stream } from './steps.js';

export async function watchFleet(): Promise<void> {
  setCurrentDetails('Looks at the health of every node.');
  const found = await stream.watchHealth.executeWithOptions({ summary: 'watch' }, []);
  if (found !== null) {
    setCurrentDetails(`Heals: ${found.cause}`);
    await meta.noteHealing(found.lost);
    await startHealing(found.cause);
    // Until it is written down that a change runs.
    await sleep('2s');
  }
  return continueAsNew<typeof watchFleet>();
}
