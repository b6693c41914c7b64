// The admin API's answers, as far as the commands read them.

export interface NodeView {
  id: string;
  url: string;
  zone: string | null;
  weight: number;
  state: string;
  reachable: boolean;
  replicas: Record<string, number>;
  health: { state: string } | null;
  stream: { lag: number; silentMs: number; lastError: string | null } | null;
}

export interface ProgressView {
  movesTotal: number;
  movesDone: number;
  movesRunning: number;
  movesFailed: number;
  documentsCopied: number;
  documentsTotal: number;
  bytesCopied: number;
  documentsPerSecond: number | null;
  lastError: string | null;
}

export interface ChangeHead {
  id: string;
  kind?: string;
  status: string;
}

export interface StatusView {
  clusterId: string;
  epoch: number;
  replicationFactor: number;
  indexes: number;
  health: { verdict: 'healthy' | 'degraded'; reasons: string[] };
  nextSteps: string[];
  nodes: NodeView[];
  leases: { proxyId: string; url: string | null; epoch: number; validForMs: number }[];
  change: (ChangeHead & ProgressView & { reason: string | null }) | null;
}

export interface MoveView {
  id: string;
  kind: 'copy' | 'drop';
  indexUid: string;
  shard: number;
  sourceNode: string | null;
  targetNode: string;
  phase: string;
  attempt: number;
  documentsCopied: number;
  documentsTotal: number;
  bytesCopied: number;
  lastError: string | null;
}

export interface ChangeView {
  change: ChangeHead | null;
  progress: ProgressView | null;
  predicted?: PredictionView | null;
  actual?: PredictionView;
  moves: MoveView[];
  control?: ControlView | null;
  retention?: RetentionView;
  error?: string | null;
  pending?: { step: string; attempt: number; lastError: string | null }[];
  nextSteps: string[];
}

export interface ControlView {
  paused: boolean;
  concurrency: number;
  nodeConcurrency: number | null;
  documentsPerSecond: number | null;
}

export interface RetentionView {
  sources: number;
  until: string | null;
}

export interface ChangeLineView extends ChangeHead {
  kind: string;
  startedAt: string;
  finishedAt: string | null;
  plannedMoves: number;
  retention: RetentionView;
}

interface StepView {
  step: string;
  attempt: number;
  at: string;
  durationMs: number;
  detail: Record<string, unknown>;
}

export interface AuditView {
  change: ChangeLineView;
  retention: RetentionView;
  events: {
    at: string;
    event: string;
    moveId: string | null;
    by: string | null;
    detail: Record<string, unknown>;
  }[];
  moves: (MoveView & { steps: StepView[] })[];
  movesTotal: number;
}

export interface PredictionView {
  copies: number;
  drops: number;
  documents: number | null;
  bytes: number | null;
  durationMs: number | null;
}

export interface PlanReportView extends PredictionView {
  summary: string;
  warnings: string[];
  samples: number;
  skewBefore: number;
  skewAfter: number;
  lowestRedundancy: { replicas: number; wanted: number; indexUid: string; shard: number } | null;
  nodes: {
    id: string;
    weight: number;
    replicasBefore: number;
    replicasAfter: number;
    documentsIn: number | null;
    bytesIn: number | null;
  }[];
  moves: {
    kind: 'copy' | 'drop';
    why: string;
    indexUid: string;
    shard: number;
    sourceNode: string | null;
    targetNode: string;
    documents: number | null;
    bytes: number | null;
  }[];
}

export interface PlanView {
  id: string;
  name: string;
  createdAt: string;
  /** Only in lists. */
  report?: Omit<PlanReportView, 'moves' | 'nodes'>;
}

export interface StartedView {
  changeId: string;
  workflowId: string;
  nextSteps: string[];
}

export interface IndexView {
  uid: string;
  primaryKey: string | null;
  shardCount: number;
  replicationFactor: number;
  replicas: Record<string, number>;
  underReplicatedShards: number;
  unavailableShards: number;
  visible: boolean;
  scoring: string | null;
}

export interface TaskView {
  uid: number;
  indexUid: string | null;
  status: string;
  type: string;
  details?: Record<string, unknown>;
  error: { message: string; code: string } | null;
  duration: string | null;
  enqueuedAt: string;
  finishedAt: string | null;
  delivery: { node: string; position: number; confirmed: boolean; lastError: string | null }[];
}

export interface ExplainView {
  indexUid: string;
  epoch: number;
  shards: { asked: number; of: number };
  replicas: { node: string; inSyncShards: number; costMs: number | null }[];
  answers: { node: string; shards: number[]; tookMs: number; nodeMs: number; hits: number; total: number }[];
  gathered: {
    statistic: string;
    cached: boolean;
    position: number | null;
    tookMs: number;
    nodes: { node: string; shards: number[]; tookMs: number }[];
  }[];
  ranked: unknown[];
  hits: {
    rank: number;
    id: unknown;
    node: string;
    shard: number | null;
    beforeNextBy: { rule: string; own: unknown; next: unknown } | null;
  }[];
}
