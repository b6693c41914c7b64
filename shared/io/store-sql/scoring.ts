// How an index ranks its hits by default: proxies learn of it as of any change of the topology, by the epoch.
import type { Scoring } from '../../core/topology.js';
import { bumpEpoch, readEpoch } from './cluster.js';
import { one, type Tx } from './driver.js';

export async function setScoring(tx: Tx, uid: string, scoring: Scoring | null): Promise<number | null> {
  const index = await one<{ incarnation: number; scoring: string | null }>(
    tx,
    'SELECT incarnation, scoring FROM indexes WHERE uid = ? AND deleted_seq IS NULL',
    [uid],
  );
  if (!index) return null;
  if (index.scoring === scoring) return readEpoch(tx);
  await tx.run('UPDATE indexes SET scoring = ? WHERE incarnation = ?', [scoring, index.incarnation]);
  return bumpEpoch(tx, `index ${uid} is scored by ${scoring ?? 'the rules of its settings'}`);
}
