// The store's port over a SQL driver: each method is one transaction of the functions beside this file.
import type { Store } from '../store.js';
import * as changeControls from './change-controls.js';
import * as changeLists from './change-lists.js';
import * as cluster from './cluster.js';
import * as controls from './controls.js';
import * as copies from './copies.js';
import { one, type SqlDriver, type Tx } from './driver.js';
import * as edits from './edits.js';
import { readFields } from './fields.js';
import * as flips from './flips.js';
import { collectGarbage } from './garbage.js';
import * as groups from './groups.js';
import * as health from './health.js';
import * as journal from './journal.js';
import * as leases from './leases.js';
import * as losses from './losses.js';
import * as marks from './marks.js';
import * as moves from './moves.js';
import * as plans from './plans.js';
import { advanceTasks } from './progress.js';
import * as restored from './restored.js';
import * as retention from './retention.js';
import * as rollbacks from './rollbacks.js';
import { migrate } from './schema.js';
import { setScoring } from './scoring.js';
import * as streams from './streams.js';
import * as verifications from './verifications.js';

type Work<A extends unknown[], R> = (tx: Tx, ...args: A) => Promise<R>;

/** Migrates the database and answers the store over it. */
export async function createSqlStore(driver: SqlDriver): Promise<Store> {
  await migrate(driver);
  const read =
    <A extends unknown[], R>(work: Work<A, R>) =>
    (...args: A) =>
      driver.transaction('read', (tx) => work(tx, ...args));
  const write =
    <A extends unknown[], R>(work: Work<A, R>) =>
    (...args: A) =>
      driver.transaction('write', (tx) => work(tx, ...args));

  return {
    close: () => driver.close(),
    initialize: write(cluster.initialize),
    readEpoch: read(cluster.readEpoch),
    readTopology: read((tx: Tx) => cluster.readTopology(tx)),
    readHead: read(cluster.readHead),
    addNode: write(cluster.addNode),
    setNodeState: write(cluster.setNodeState),
    removeNode: write(cluster.removeNode),
    readNodeSecrets: read(cluster.readNodeSecrets),
    putNodeSecrets: write(cluster.putNodeSecrets),
    stageParts: (...args) => driver.transaction('stage', (tx) => journal.stageParts(tx, ...args)),
    dropStaging: write(journal.dropStaging),
    appendEntry: write(journal.appendEntry),
    listTasks: read(journal.listTasks),
    readTask: read(journal.readTask),
    readFields: read(readFields),
    setScoring: write(setScoring),
    readRestored: read(restored.readRestored),
    acceptRestored: write(restored.acceptRestored),
    takeOverStream: write(streams.takeOverStream),
    async readGroup(node, generation, limits) {
      const group = await write(groups.beginGroup)(node, generation, limits);
      return group && read(groups.fillGroup)(node, generation, group);
    },
    confirmEntries: write(streams.confirmEntries),
    reportStream: write(streams.reportStream),
    readSettingsAt: read(streams.readSettingsAt),
    hasWork: read(streams.hasWork),
    setPhysicalName: write(streams.setPhysicalName),
    setProvisioned: write(streams.setProvisioned),
    setUnclean: write(streams.setUnclean),
    readStreams: read(streams.readStreams),
    demoteNode: write(streams.demoteNode),
    promoteNode: write(streams.promoteNode),
    enqueueControl: write(controls.enqueueControl),
    readControls: read(controls.readControls),
    startControl: write(controls.startControl),
    nextControls: read(controls.nextControls),
    finishControl: write(controls.finishControl),
    readReplay: read(controls.readReplay),
    advanceReplay: write(controls.advanceReplay),
    readCopyingShards: read(controls.readCopyingShards),
    recordFilterMatches: write(controls.recordFilterMatches),
    makeEdits: write(edits.makeEdits),
    takeBackEdits: write(edits.takeBackEdits),
    makeEditsAgain: write(edits.makeEditsAgain),
    savePlan: write(plans.savePlan),
    readPlan: read(plans.readPlan),
    listPlans: read(plans.listPlans),
    deletePlan: write(plans.deletePlan),
    readMoveSamples: read(plans.readMoveSamples),
    openChange: write(moves.openChange),
    readChange: read(moves.readChange),
    readLatestChange: read(moves.readLatestChange),
    setChangeStatus: write(moves.setChangeStatus),
    planMoves: write(moves.planMoves),
    listMoves: read(changeLists.listMoves),
    readMove: read(moves.readMove),
    holdReplica: write(moves.holdReplica),
    saveSnapshot: write(moves.saveSnapshot),
    readSnapshotIds: read(moves.readSnapshotIds),
    updateMove: write(moves.updateMove),
    readCopy: read(copies.readCopy),
    recordCopied: write(copies.recordCopied),
    endCopy: write(copies.endCopy),
    markVerified: write(flips.markVerified),
    flipMove: write(flips.flipMove),
    beginDelete: write(flips.beginDelete),
    finishDelete: write(flips.finishDelete),
    adoptLeftovers: read(flips.adoptLeftovers),
    recordStep: write(moves.recordStep),
    listSteps: read(moves.listSteps),
    readControl: read(changeControls.readControl),
    saveControl: write(changeControls.saveControl),
    takeCopyTurn: write(changeControls.takeCopyTurn),
    recordEvent: write(changeControls.recordEvent),
    listEvents: read(changeControls.listEvents),
    listChanges: read(changeLists.listChanges),
    listMovesFrom: read(changeLists.listMovesFrom),
    countMoves: read(changeLists.countMoves),
    listDueRetentions: read(retention.listDueRetentions),
    endRetention: write(retention.endRetention),
    readRetention: read(retention.readRetention),
    listRetainedOut: read(retention.listRetainedOut),
    countReplicas: read(retention.countReplicas),
    dropKept: write(retention.dropKept),
    planRollback: write(rollbacks.planRollback),
    beginRollback: write(rollbacks.beginRollback),
    markRollbackVerified: write(rollbacks.markRollbackVerified),
    flipBack: write(rollbacks.flipBack),
    cancelRollback: write(rollbacks.cancelRollback),
    closeRollback: write(rollbacks.closeRollback),
    renewLease: write(leases.renewLease),
    dropLease: write(leases.dropLease),
    readLeases: write(leases.readLeases),
    openVerification: write(verifications.openVerification),
    readVerification: read(verifications.readVerification),
    readLatestVerification: read(verifications.readLatestVerification),
    listVerificationItems: read(verifications.listVerificationItems),
    saveVerificationItem: write(verifications.saveVerificationItem),
    setVerificationStatus: write(verifications.setVerificationStatus),
    readTouches: read(verifications.readTouches),
    readLoss: read(losses.readLoss),
    declareLoss: write(losses.declareLoss),
    finishRebuild: write(losses.finishRebuild),
    acceptLoss: write(losses.acceptLoss),
    readHealth: read(health.readHealth),
    saveHealth: write(health.saveHealth),
    setHealedAway: write(health.setHealedAway),
    readHealingPause: read(health.readHealingPause),
    saveHealingPause: write(health.saveHealingPause),
    markReplica: write(marks.markReplica),
    advanceTasks: write(advanceTasks),
    collectGarbage: write(collectGarbage),
    readWatermark: read(async (tx: Tx, incarnation: number) => {
      const row = await one<{ watermark: number }>(
        tx,
        'SELECT watermark FROM indexes WHERE incarnation = ?',
        [incarnation],
      );
      return row?.watermark ?? -1;
    }),
  };
}
