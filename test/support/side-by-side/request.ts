// What a side-by-side test sends to a fleet and to one plain Meilisearch, and how a table of it is written down.

/** One request of the table; it goes to both sides, and a task that it starts is awaited on both. */
export interface SideRequest {
  method: string;
  path: string;
  /** The payload as it goes over the wire. */
  body?: string;
  /** Null sends none. */
  contentType?: string | null;
  /** Which key goes with it; the master key by default. */
  auth?: 'master' | 'none' | 'wrong' | 'basic';
  /** What of the answer is compared; `shape` compares names and types of values, not the values. */
  compare?: 'all' | 'shape';
}

/** Method, path and, shortened, the payload: how a request is called in lists and failures. */
export function nameOf(request: SideRequest): string {
  const { method, path, body, auth, contentType } = request;
  const shown = body === undefined ? '' : ` ${body.length > 120 ? `${body.slice(0, 120)}…` : body}`;
  const type = contentType === undefined || contentType === JSON_TYPE ? '' : ` (${contentType})`;
  return `${method} ${path.length > 200 ? `${path.slice(0, 200)}…` : path}${type}${shown}${auth === undefined ? '' : ` as ${auth}`}`;
}

export const JSON_TYPE = 'application/json';
export const NDJSON_TYPE = 'application/x-ndjson';
export const CSV_TYPE = 'text/csv';

/** A request without a payload. */
export function get(path: string, more: Partial<SideRequest> = {}): SideRequest {
  return { method: 'GET', path, ...more };
}

/** Each of the paths, read. */
export function gets(...paths: string[]): SideRequest[] {
  return paths.map((path) => get(path));
}

/** A request without a payload that deletes. */
export function del(path: string, more: Partial<SideRequest> = {}): SideRequest {
  return { method: 'DELETE', path, ...more };
}

/** A request with a value as JSON. */
export function send(method: string, path: string, value: unknown): SideRequest {
  return raw(method, path, JSON.stringify(value));
}

export function post(path: string, value: unknown): SideRequest {
  return send('POST', path, value);
}

export function put(path: string, value: unknown): SideRequest {
  return send('PUT', path, value);
}

export function patch(path: string, value: unknown): SideRequest {
  return send('PATCH', path, value);
}

/** A request with a payload as it is written here. */
export function raw(
  method: string,
  path: string,
  body: string,
  contentType: string | null = JSON_TYPE,
): SideRequest {
  return { method, path, body, contentType };
}
