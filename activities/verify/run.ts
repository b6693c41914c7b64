// A verification's comparisons, one after the other; each is written down, so that another worker goes on with the next.
import type { ItemOutcome, VerificationItem } from '../../shared/io/store-verifications.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { Pace } from './pace.js';
import { compareSettings } from './settings.js';
import { compareShard, EQUAL } from './shard.js';
import { findStrays } from './strays.js';

const MOST_ITEMS = 100_000;

/** Runs what is not done yet; answers how many comparisons found a difference. */
export async function runVerification(
  deps: ActivityDeps,
  verificationId: string,
  beat: Beat,
): Promise<{ items: number; different: number }> {
  const verification = await deps.store.readVerification(verificationId);
  if (!verification) throw new Error(`there is no verification "${verificationId}"`);
  const { input } = verification;
  const pace = new Pace(input.documentsPerSecond ?? deps.options.verifyDocumentsPerSecond, deps.clock);
  for (;;) {
    const [item] = await deps.store.listVerificationItems(verificationId, ['pending'], 1);
    if (item === undefined) break;
    beat.signal.throwIfAborted();
    beat.report({ kind: item.kind, index: item.indexUid, shard: item.shard, node: item.node });
    const outcome = await compare(deps, item, input.from, pace, beat);
    await deps.store.saveVerificationItem(verificationId, item.ordinal, outcome);
    await deps.faults.reach('verification.item');
  }
  const { totals } = (await deps.store.readVerification(verificationId))!;
  return { items: totals.items, different: totals.different };
}

async function compare(
  deps: ActivityDeps,
  item: VerificationItem,
  trusted: string | null,
  pace: Pace,
  beat: Beat,
): Promise<ItemOutcome> {
  try {
    if (item.kind === 'settings') return await compareSettings(deps, item, beat);
    if (item.kind === 'strays') return await findStrays(deps, item, beat);
    return await compareShard(deps, item, trusted, pace, beat);
  } catch (error) {
    if ((error as { type?: string }).type !== 'IndexDeleted') throw error;
    return { ...EQUAL, status: 'skipped', detail: { reason: 'the index has been deleted' } };
  }
}

/** Compares again what was different; what is equal now was repaired, and keeps what was wrong with it. */
export async function recheckFindings(
  deps: ActivityDeps,
  verificationId: string,
  beat: Beat,
): Promise<{ items: number; different: number }> {
  const { input } = (await deps.store.readVerification(verificationId))!;
  const pace = new Pace(input.documentsPerSecond ?? deps.options.verifyDocumentsPerSecond, deps.clock);
  for (const item of await deps.store.listVerificationItems(verificationId, ['different'], MOST_ITEMS)) {
    beat.report({ again: item.kind, index: item.indexUid, shard: item.shard, node: item.node });
    const outcome = await compare(deps, item, input.from, pace, beat);
    const isMended = outcome.status === 'equal' || outcome.status === 'skipped';
    await deps.store.saveVerificationItem(
      verificationId,
      item.ordinal,
      isMended ? { ...item, status: 'repaired' } : outcome,
    );
  }
  const { totals } = (await deps.store.readVerification(verificationId))!;
  return { items: totals.items, different: totals.different };
}
