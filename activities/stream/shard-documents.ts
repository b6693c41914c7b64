// Reading a shard's documents from a node: ids, chunks by ids, whole documents. Raw text, never reprinted.
import { shardFilter } from '../../shared/core/topology.js';
import { type NodeClient, NodeRefusal } from '../../shared/io/node-client.js';

/** More than any shard holds; Meilisearch sets no limit of its own on this route. */
const ALL = 4_000_000_000;

/**
 * The ids of all documents that match, in one request and so of one moment.
 * A nested primary key (`a.b`) is read from the nested or the flat field, as Meilisearch does.
 */
export async function fetchIds(
  client: NodeClient,
  indexName: string,
  primaryKey: string,
  options: { filter: unknown; signal?: AbortSignal },
): Promise<string[]> {
  const answer = await fetchBody(
    client,
    indexName,
    { fields: [primaryKey], filter: options.filter, limit: ALL },
    options.signal,
  );
  // Only ids are in there, so that quoting long integers cannot touch a text: JSON.parse would change their digits.
  const text = cutResults(answer)
    .results.toString('utf8')
    .replace(/([:,[]\s*)(-?\d{15,})(?=\s*[,}\]])/g, '$1"$2"');
  return (JSON.parse(text) as Record<string, unknown>[]).map((document) => readId(document, primaryKey));
}

function readId(document: Record<string, unknown>, primaryKey: string): string {
  const value =
    document[primaryKey] ??
    primaryKey
      .split('.')
      .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], document);
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new Error(`a document of the node has no value for its primary key "${primaryKey}"`);
  return String(value);
}

async function fetchBody(
  client: NodeClient,
  indexName: string,
  query: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Buffer> {
  const answer = await client.request({
    method: 'POST',
    path: `/indexes/${indexName}/documents/fetch`,
    body: JSON.stringify(query),
    signal,
    headersTimeoutMs: 300_000,
  });
  if (answer.status === 200) return answer.body;
  const error = JSON.parse(answer.body.toString('utf8')) as { code?: string; message?: string };
  throw new NodeRefusal(
    client.id,
    answer.status,
    error.code ?? 'internal',
    error.message ?? `status ${answer.status}`,
    answer.body,
  );
}

/** Documents by ids, or of a shard, as one JSON array's text, `_miroir` included, and how many there are. */
export async function fetchDocuments(
  client: NodeClient,
  indexName: string,
  query: { ids?: readonly string[]; shard?: number; withVectors: boolean },
  signal?: AbortSignal,
): Promise<{ results: Buffer; total: number }> {
  const body: Record<string, unknown> = { limit: ALL };
  if (query.ids) body.ids = query.ids;
  if (query.shard !== undefined) body.filter = shardFilter([query.shard]);
  if (query.withVectors) body.retrieveVectors = true;
  return cutResults(await fetchBody(client, indexName, body, signal));
}

/** `{"results":[…],"offset":0,"limit":n,"total":t}`: the array's text and the total, without parsing documents. */
export function cutResults(body: Buffer): { results: Buffer; total: number } {
  const begin = body.indexOf('[');
  // The tail after the last bracket holds three numbers only.
  const end = body.lastIndexOf(']');
  const tail = /"total":(\d+)/.exec(body.toString('latin1', end));
  if (begin < 0 || end < begin || !tail || body.toString('latin1', 0, begin).trim() !== '{"results":')
    throw new Error('the node answered documents in a form that Miroir does not know');
  return { results: body.subarray(begin, end + 1), total: Number(tail[1]) };
}
