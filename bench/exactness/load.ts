// Puts a world into a server that speaks Meilisearch's API, and waits until it can be searched.
import type { Api } from '../../up/admin-api.js';
import { enqueue, settle } from '../../up/tour/reference.js';
import { PRIMARY_KEY, type World } from './worlds.js';

const BATCH_DOCUMENTS = 2_000;
const DEADLINE_MS = 900_000;

/** Creates the index unless it is there, gives it settings, then documents. */
export async function loadWorld(
  api: Api,
  world: World,
  { create, settings }: { create: boolean; settings: Readonly<Record<string, unknown>> },
): Promise<void> {
  const { name: uid, texts } = world;
  const send = async (method: 'POST' | 'PATCH', path: string, body: unknown) =>
    settle(api, await enqueue(api, method, path, body), DEADLINE_MS);
  if (create) await send('POST', '/indexes', { uid, primaryKey: PRIMARY_KEY });
  await send('PATCH', `/indexes/${uid}/settings`, settings);
  let last: number | null = null;
  for (let at = 0; at < texts.length; at += BATCH_DOCUMENTS) {
    const batch = `[${texts.slice(at, at + BATCH_DOCUMENTS).join(',')}]`;
    last = await enqueue(api, 'POST', `/indexes/${uid}/documents`, batch);
  }
  if (last !== null) await settle(api, last, DEADLINE_MS);
}
