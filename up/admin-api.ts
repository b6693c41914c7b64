// The few calls that `miroir up` and its tour make to the proxy: the admin API and Meilisearch's own routes.
import { Pool } from 'undici';

export interface ApiAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** An answer that says no. */
export class ApiRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiRefusal';
  }
}

export class Api {
  private readonly pool: Pool;

  constructor(
    readonly url: string,
    private readonly key: string | null,
  ) {
    this.pool = new Pool(url, { connections: 16 });
  }

  /** Any status is an answer; a connection that fails throws. */
  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<ApiAnswer> {
    const headers: Record<string, string> = {};
    if (this.key !== null) headers.authorization = `Bearer ${this.key}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await this.pool.request({
      method,
      path,
      headers,
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      headersTimeout: 60_000,
      bodyTimeout: 60_000,
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** The parsed body; throws ApiRefusal for a status of 400 and above. */
  async json<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<T> {
    const answer = await this.send(method, path, body);
    const parsed = (answer.text === '' ? null : JSON.parse(answer.text)) as T & {
      message?: string;
      code?: string;
    };
    if (answer.status >= 400) {
      throw new ApiRefusal(
        answer.status,
        parsed?.code ?? 'internal',
        parsed?.message ?? `status ${answer.status}`,
      );
    }
    return parsed;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
