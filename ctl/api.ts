// The admin API of one proxy. Every failure becomes a CommandFailure that says what to do.
import { request } from 'undici';
import { CommandFailure, EXIT } from './exit.js';

export interface AdminApiOptions {
  url: string;
  adminKey: string | null;
  requestTimeoutMs: number;
}

interface ErrorBody {
  message?: string;
  code?: string;
  link?: string;
}

export class AdminApi {
  constructor(private readonly options: AdminApiOptions) {
    const url = URL.canParse(options.url) ? new URL(options.url) : null;
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new CommandFailure(`\`${options.url}\` is not the URL of a proxy`, EXIT.usage);
    }
    if (url.username !== '' || url.password !== '') {
      throw new CommandFailure('the URL must not carry credentials; use MIROIR_ADMIN_API_KEY', EXIT.usage);
    }
  }

  get<T>(path: string, timeoutMs?: number): Promise<T> {
    return this.send<T>('GET', path, undefined, timeoutMs);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.send<T>('POST', path, body);
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.send<T>('PATCH', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.send<T>('DELETE', path);
  }

  private async send<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    timeoutMs = this.options.requestTimeoutMs,
  ): Promise<T> {
    const url = `${this.options.url.replace(/\/+$/, '')}/_miroir${path}`;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.options.adminKey !== null) headers.authorization = `Bearer ${this.options.adminKey}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const signal = AbortSignal.timeout(
      Math.max(1, Math.ceil(Math.min(timeoutMs, this.options.requestTimeoutMs))),
    );
    let status: number;
    let text: string;
    try {
      const answer = await request(url, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal,
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (error) {
      throw signal.aborted ? this.tooSlow() : this.unreachable(error);
    }
    const parsed = parseAnswer(text);
    if (status >= 400) throw this.refused(status, (parsed ?? {}) as ErrorBody);
    if (parsed === undefined) throw this.unreachable(new Error('the answer is not JSON'));
    return parsed as T;
  }

  private tooSlow(): CommandFailure {
    return new CommandFailure(`the proxy at ${this.options.url} does not answer in time`, EXIT.timedOut, {
      nextSteps: ['try again with a longer --timeout', `check that ${this.options.url} is the proxy`],
    });
  }

  private unreachable(error: unknown): CommandFailure {
    const reason =
      error instanceof Error ? (error as NodeJS.ErrnoException).code || error.message : String(error);
    return new CommandFailure(`cannot reach a proxy at ${this.options.url} (${reason})`, EXIT.failed, {
      nextSteps: ['check that the proxy runs (miroir proxy) and that --url or MIROIR_URL is right'],
    });
  }

  private refused(status: number, body: ErrorBody): CommandFailure {
    const { code, link } = body;
    const nextSteps: string[] = [];
    if (status === 401 || status === 403) {
      nextSteps.push(
        'set MIROIR_ADMIN_API_KEY, or write `admin_api_key: ...` to ~/.config/miroir/credentials',
      );
    }
    if (code === 'miroir_change_in_progress') nextSteps.push('miroir-ctl rebalance status --watch');
    const message = body.message ?? `the proxy answered with status ${status}`;
    return new CommandFailure(message, EXIT.failed, { code, link, nextSteps });
  }
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
