// The workflows by the names that `temporal workflow start --type` takes.
export { deliver } from './deliver.js';
export { endRetention } from './end-retention.js';
export { moveShard } from './move-shard.js';
export { rollbackMove } from './rollback-move.js';
export { topologyChange } from './topology-change.js';
export { scheduledVerify, verifyCluster } from './verify-cluster.js';
export { watchFleet } from './watch-fleet.js';
