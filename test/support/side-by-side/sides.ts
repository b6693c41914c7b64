// Sends requests to two servers, waits for their tasks, and shows both answers without what must differ.
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as send } from 'undici';
import type { SideRequest } from './request.js';

export interface Side {
  url: string;
  masterKey: string;
}

/** An answer as it is compared: every part is text. */
export interface ShownAnswer {
  status: number;
  contentType: string;
  body: string;
  /** The task that the request started, when it was done; null without one. */
  task: string | null;
}

/** A connection for each request: a server closes one on which it refused a body that it had not read. */
const dispatcher = new Agent({ pipelining: 0 });

/** Sends one request and waits for its task, if it starts one. */
export async function ask(side: Side, request: SideRequest): Promise<ShownAnswer> {
  const answer = await send(`${side.url}${request.path.replaceAll(' ', '%20')}`, {
    method: request.method as 'GET',
    headers: { ...authorization(side, request), ...contentType(request) },
    body: request.body,
    dispatcher,
  });
  const text = await answer.body.text();
  const shown = request.compare === 'shape' ? shapeOf(text) : withoutVolatile(text);
  return {
    status: answer.statusCode,
    contentType: String(answer.headers['content-type'] ?? ''),
    body: shown,
    task: answer.statusCode === 202 ? await finishedTask(side, text) : null,
  };
}

function authorization(side: Side, { auth = 'master' }: SideRequest): Record<string, string> {
  if (auth === 'none') return {};
  if (auth === 'wrong') return { authorization: 'Bearer not-the-master-key' };
  if (auth === 'basic') return { authorization: `Basic ${side.masterKey}` };
  return { authorization: `Bearer ${side.masterKey}` };
}

function contentType({ body, contentType = 'application/json' }: SideRequest): Record<string, string> {
  return body === undefined || contentType === null ? {} : { 'content-type': contentType };
}

async function finishedTask(side: Side, summary: string): Promise<string | null> {
  const { taskUid } = JSON.parse(summary) as { taskUid?: number };
  if (taskUid === undefined) return null;
  const untilMs = performance.now() + 60_000;
  for (;;) {
    const answer = await send(`${side.url}/tasks/${taskUid}`, {
      headers: { authorization: `Bearer ${side.masterKey}` },
      dispatcher,
    });
    const text = await answer.body.text();
    const { status } = JSON.parse(text) as { status?: string };
    if (status !== 'enqueued' && status !== 'processing') return withoutVolatile(text);
    if (performance.now() > untilMs) throw new Error(`task ${taskUid} of ${side.url} took too long: ${text}`);
    await sleep(10);
  }
}

const TIME = /"(enqueuedAt|startedAt|finishedAt|createdAt|updatedAt|lastUpdate)":"\d{4}-\d\d-\d\dT[^"]*Z"/g;

/** The text of an answer without times, durations, sizes on disk and ids that are drawn at random. */
export function withoutVolatile(text: string): string {
  return text
    .replace(TIME, '"$1":"<time>"')
    .replace(/"duration":"P[^"]*"/g, '"duration":"<duration>"')
    .replace(/"processingTimeMs":\d+/g, '"processingTimeMs":"<ms>"')
    .replace(/"requestUid":"[^"]*"/g, '"requestUid":"<uuid>"')
    .replace(/"(databaseSize|usedDatabaseSize|rawDocumentDbSize|avgDocumentSize)":\d+/g, '"$1":"<bytes>"')
    .replace(
      /"(databaseSize|usedDatabaseSize|rawDocumentDbSize|avgDocumentSize)":"[\d.]+ \w+"/g,
      '"$1":"<size>"',
    );
}

function shapeOf(text: string): string {
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shape(item)]));
  };
  try {
    return JSON.stringify(shape(JSON.parse(text)));
  } catch {
    return text;
  }
}
