// One node: its connections and the few calls that Miroir makes. Raw bodies in and out; nothing is reparsed here.
import { Pool } from 'undici';
import type { MeilisearchError } from '../core/errors.js';
import { type Clock, REAL_CLOCK } from './clock.js';
import { exchange } from './node-exchange.js';

export interface NodeResponse {
  status: number;
  body: Buffer;
}

export interface NodeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with its query, beginning with a slash. */
  path: string;
  body?: string | Uint8Array;
  contentType?: string;
  /** Headers besides the key and the content type. */
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** Time until the headers of the answer; 0 waits for ever. */
  headersTimeoutMs?: number;
  /** Time until the whole answer is there; then NodeUnreachable is thrown. Cheaper than a signal. */
  deadlineMs?: number;
  /** Uses the admin key instead of the data key. */
  admin?: boolean;
  /** A POST that only reads. As every GET, it is sent once more when its kept connection was closed under it. */
  readOnly?: boolean;
}

export interface NodeTask {
  uid: number;
  indexUid: string | null;
  status: 'enqueued' | 'processing' | 'succeeded' | 'failed' | 'canceled';
  type: string;
  customMetadata?: string;
  details: Record<string, unknown> | null;
  error: MeilisearchError | null;
}

/** The node answered with an error of its own. */
export class NodeRefusal extends Error {
  constructor(
    readonly nodeId: string,
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: Buffer,
  ) {
    super(message);
    this.name = 'NodeRefusal';
  }
}

/** The node could not be asked: refused, reset, timed out, or it answered something that is not Meilisearch. */
export class NodeUnreachable extends Error {
  constructor(
    readonly nodeId: string,
    url: string,
    cause: unknown,
  ) {
    super(
      `node ${nodeId} at ${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
    this.name = 'NodeUnreachable';
    this.cause = cause;
  }
}

export interface NodeClientOptions {
  id: string;
  url: string;
  adminKey: string | null;
  dataKey: string | null;
  connections?: number;
  /** The real one by default. */
  clock?: Clock;
}

interface KeyHeaders {
  readonly alone: Record<string, string>;
  readonly withJson: Record<string, string>;
}

function keyHeaders(key: string | null): KeyHeaders {
  const alone: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  return { alone, withJson: { ...alone, 'content-type': 'application/json' } };
}

/** A server that refuses a request without reading its body closes the connection, maybe after the next was sent on it. */
function isClosedConnection(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

const TERMINAL = new Set(['succeeded', 'failed', 'canceled']);

export class NodeClient {
  readonly id: string;
  readonly url: string;
  /** Requests that have no answer yet. */
  inFlight = 0;
  private readonly pool: Pool;
  private readonly prefix: string;
  private readonly adminHeaders: KeyHeaders;
  private readonly dataHeaders: KeyHeaders;
  private readonly clock: Clock;

  constructor(options: NodeClientOptions) {
    this.id = options.id;
    this.url = options.url;
    const parsed = new URL(options.url);
    this.prefix = parsed.pathname.replace(/\/$/, '');
    this.pool = new Pool(parsed.origin, {
      connections: options.connections ?? 32,
      pipelining: 1,
      connectTimeout: 3_000,
      keepAliveTimeout: 30_000,
    });
    this.adminHeaders = keyHeaders(options.adminKey);
    this.clock = options.clock ?? REAL_CLOCK;
    this.dataHeaders = keyHeaders(options.dataKey ?? options.adminKey);
  }

  /** Sends one request; any status is an answer. Throws NodeUnreachable, or the signal's reason. */
  request(request: NodeRequest): Promise<NodeResponse> {
    return this.send(request).catch((error: unknown) => {
      if (request.signal?.aborted) throw request.signal.reason ?? error;
      const isRead = request.readOnly || request.method === 'GET';
      if (isRead && isClosedConnection(error)) return this.sendAgain(request);
      throw new NodeUnreachable(this.id, this.url, error);
    });
  }

  private async sendAgain(request: NodeRequest): Promise<NodeResponse> {
    try {
      return await this.send(request);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason ?? error;
      throw new NodeUnreachable(this.id, this.url, error);
    }
  }

  private send(request: NodeRequest): Promise<NodeResponse> {
    const options = {
      method: request.method,
      path: this.prefix + request.path,
      headers: this.headersOf(request),
      body: request.body ?? null,
      headersTimeout: request.headersTimeoutMs ?? 60_000,
      bodyTimeout: 60_000,
    };
    return exchange(this.pool, options, request, this);
  }

  private headersOf(request: NodeRequest): Record<string, string> {
    const keys = request.admin ? this.adminHeaders : this.dataHeaders;
    const isJson = request.body !== undefined && request.contentType === undefined;
    if (request.headers === undefined) {
      // Searches send nothing else.
      if (isJson) return keys.withJson;
      if (request.body === undefined) return keys.alone;
    }
    const headers = { ...request.headers, ...(isJson ? keys.withJson : keys.alone) };
    if (request.contentType !== undefined) headers['content-type'] = request.contentType;
    return headers;
  }

  /** Like request, but parses the body and throws NodeRefusal for a status of 400 and above. */
  async json<T>(request: NodeRequest): Promise<T> {
    const answer = await this.request(request);
    let parsed: unknown;
    try {
      parsed = answer.body.length === 0 ? null : JSON.parse(answer.body.toString('utf8'));
    } catch (error) {
      throw new NodeUnreachable(this.id, this.url, error);
    }
    if (answer.status >= 400) {
      const refusal = (parsed ?? {}) as Partial<MeilisearchError>;
      throw new NodeRefusal(
        this.id,
        answer.status,
        refusal.code ?? 'internal',
        refusal.message ?? `status ${answer.status}`,
        answer.body,
      );
    }
    return parsed as T;
  }

  /** Enqueues a write and answers its task uid. */
  async enqueue(request: NodeRequest): Promise<number> {
    const task = await this.json<{ taskUid: number }>(request);
    return task.taskUid;
  }

  /**
   * Waits until a task is terminal and answers it. Asks again after an eighth of the time waited so far, at most after
   * 100 ms: what is lost by asking late stays small beside the task. There is no deadline but the signal, since a node
   * may index for minutes.
   */
  async waitTask(uid: number, signal?: AbortSignal, admin = false): Promise<NodeTask> {
    for (let waitedMs = 0; ; ) {
      const task = await this.json<NodeTask>({ method: 'GET', path: `/tasks/${uid}`, signal, admin });
      if (TERMINAL.has(task.status)) return task;
      signal?.throwIfAborted();
      const delayMs = Math.min(Math.max(2, waitedMs / 8), 100);
      await this.clock.sleep(delayMs);
      waitedMs += delayMs;
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}

/** Throws a task's failure as a NodeRefusal. */
export function requireSuccess(nodeId: string, task: NodeTask): NodeTask {
  if (task.status === 'succeeded') return task;
  const error = task.error;
  throw new NodeRefusal(
    nodeId,
    400,
    error?.code ?? 'internal',
    `task ${task.uid} (${task.type}) on node ${nodeId} is ${task.status}: ${error?.message ?? 'no reason given'}`,
    Buffer.alloc(0),
  );
}
