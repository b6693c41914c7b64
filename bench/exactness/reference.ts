// The fair reference: one node with all documents, the user's settings, and the primary key as its last ranking rule, so
// that ties have an order which does not depend on when documents came.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultSettings } from '../../shared/core/settings.js';
import { Api } from '../../up/admin-api.js';
import { openDataFolder } from '../../up/data-folder.js';
import { type NodeProgram, startNode } from '../../up/nodes.js';
import { Supervisor } from '../../up/supervisor.js';
import { EXACT_VECTORS } from './fleet.js';
import { loadWorld } from './load.js';
import { PRIMARY_KEY, type World } from './worlds.js';

export const LAST_RULE = `${PRIMARY_KEY}:asc`;

export interface Reference {
  readonly api: Api;
  load(world: World): Promise<void>;
  stop(): Promise<void>;
  kill(): void;
}

/** Starts one node that no fleet knows. */
export async function startReference(program: NodeProgram, warn: (line: string) => void): Promise<Reference> {
  const folder = await mkdtemp(join(tmpdir(), 'miroir-exact-one-'));
  const supervisor = new Supervisor(warn);
  const kill = () => supervisor.killAll();
  const node = await startNode(program, 'reference', await openDataFolder(folder), supervisor, EXACT_VECTORS);
  const api = new Api(node.url, node.key);
  return {
    api,
    load: (world) => loadWorld(api, world, { create: true, settings: fairSettings(world) }),
    stop: async () => {
      await api.close();
      await node.child?.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
    kill,
  };
}

/** The user's settings with the key as the last rule. */
export function fairSettings({ settings }: World): Record<string, unknown> {
  const rules = (settings.rankingRules ?? defaultSettings().rankingRules) as string[];
  // The time limit cuts answers short on a busy machine: it is no part of the comparison.
  return { ...settings, rankingRules: [...rules, LAST_RULE], searchCutoffMs: 600_000 };
}
