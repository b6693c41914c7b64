// A node's identity: one fleet claims it under one id, by what Meilisearch itself admits only once.
import type { NodeId } from '../shared/core/topology.js';
import { type NodeClient, NodeRefusal, requireSuccess } from '../shared/io/node-client.js';

/** The key's uid is the same for every fleet, so that a second claimant gets a conflict. */
const CLAIM_KEY = '6d69726f-6972-4c6c-8169-6d0000000001';
const DATA_KEY = '6d69726f-6972-4461-8461-6b0000000002';
/** Without a master key there are no keys: an index takes the claim, its primary key names the owner. */
const CLAIM_INDEX = 'miroir-claim';

export interface Claim {
  clusterId: string;
  node: NodeId;
}

function describe(claim: Claim): string {
  return `miroir cluster=${claim.clusterId} node=${claim.node}`;
}

function parse(text: string | null): Claim | null {
  const match = /^miroir cluster=(\S+) node=(\S+)$/.exec(text ?? '');
  return match ? { clusterId: match[1]!, node: match[2]! } : null;
}

/** Whether the node runs without a master key, in which case it refuses to speak of keys at all. */
async function isOpen(client: NodeClient): Promise<boolean> {
  try {
    await client.json({ method: 'GET', path: '/keys?limit=1', admin: true });
    return false;
  } catch (error) {
    if (error instanceof NodeRefusal && error.code === 'missing_master_key') return true;
    throw error;
  }
}

/** Who has claimed the node, or null. */
export async function readClaim(client: NodeClient): Promise<Claim | null> {
  try {
    if (await isOpen(client)) {
      const index = await client.json<{ primaryKey: string | null }>({
        method: 'GET',
        path: `/indexes/${CLAIM_INDEX}`,
        admin: true,
      });
      return parse(index.primaryKey) ?? { clusterId: 'unknown', node: 'unknown' };
    }
    const key = await client.json<{ description: string | null }>({
      method: 'GET',
      path: `/keys/${CLAIM_KEY}`,
      admin: true,
    });
    return parse(key.description) ?? { clusterId: 'unknown', node: 'unknown' };
  } catch (error) {
    if (
      error instanceof NodeRefusal &&
      (error.code === 'api_key_not_found' || error.code === 'index_not_found')
    )
      return null;
    throw error;
  }
}

/** Claims the node; answers who holds the claim afterwards, which may be somebody else. */
export async function claimNode(client: NodeClient, claim: Claim): Promise<Claim> {
  try {
    if (await isOpen(client)) {
      const uid = await client.enqueue({
        method: 'POST',
        path: '/indexes',
        body: JSON.stringify({ uid: CLAIM_INDEX, primaryKey: describe(claim) }),
        admin: true,
      });
      requireSuccess(client.id, await client.waitTask(uid, undefined, true));
    } else {
      await client.json({
        method: 'POST',
        path: '/keys',
        body: JSON.stringify({
          uid: CLAIM_KEY,
          name: 'miroir-claim',
          description: describe(claim),
          actions: ['indexes.get'],
          indexes: [CLAIM_INDEX],
          expiresAt: null,
        }),
        admin: true,
      });
    }
    return claim;
  } catch (error) {
    const taken = error instanceof NodeRefusal && /already_exists$/.test(error.code);
    if (!taken) throw error;
    return (await readClaim(client)) ?? claim;
  }
}

/** Gives the claim back; nothing happens when there is none. */
export async function releaseClaim(client: NodeClient): Promise<void> {
  const open = await isOpen(client);
  for (const path of open ? [`/indexes/${CLAIM_INDEX}`] : [`/keys/${DATA_KEY}`, `/keys/${CLAIM_KEY}`]) {
    const answer = await client.request({ method: 'DELETE', path, admin: true });
    if (open && answer.status === 202) {
      const { taskUid } = JSON.parse(answer.body.toString('utf8')) as { taskUid: number };
      await client.waitTask(taskUid, undefined, true);
    }
  }
}

/**
 * The key that streams and searches use: it may write documents but not create indexes, so that a request to a name
 * that was fenced away fails instead of creating it anew. Null where the node runs without keys.
 */
export async function obtainDataKey(client: NodeClient): Promise<string | null> {
  if (await isOpen(client)) return null;
  try {
    const key = await client.json<{ key: string }>({
      method: 'POST',
      path: '/keys',
      body: JSON.stringify({
        uid: DATA_KEY,
        name: 'miroir-data',
        description: 'Searches and document writes of Miroir; may not create indexes.',
        actions: [
          'search',
          'documents.*',
          'tasks.get',
          'indexes.get',
          'stats.get',
          'settings.get',
          'version',
        ],
        indexes: ['*'],
        expiresAt: null,
      }),
      admin: true,
    });
    return key.key;
  } catch (error) {
    if (!(error instanceof NodeRefusal && error.code === 'api_key_already_exists')) throw error;
    const key = await client.json<{ key: string }>({ method: 'GET', path: `/keys/${DATA_KEY}`, admin: true });
    return key.key;
  }
}
