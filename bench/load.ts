// Sends searches to several targets in turn, so that whatever else the machine does falls on all of them alike.
import { Pool } from 'undici';

export interface Target {
  readonly name: string;
  /** Answers the time from sending to the last byte, in milliseconds. Throws for a status other than 200. */
  search(body: string): Promise<number>;
  close(): Promise<void>;
}

/** A target that takes POST requests at one path. */
export function httpTarget(name: string, url: string, path: string, key: string | null): Target {
  const pool = new Pool(url, { connections: 16, pipelining: 1 });
  const headers = {
    'content-type': 'application/json',
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
  };
  return {
    name,
    async search(body) {
      const startedMs = performance.now();
      const answer = await pool.request({ method: 'POST', path, headers, body });
      const bytes = await answer.body.arrayBuffer();
      if (answer.statusCode !== 200) {
        throw new Error(`${name} answered ${answer.statusCode}: ${Buffer.from(bytes).toString('utf8')}`);
      }
      return performance.now() - startedMs;
    },
    close: () => pool.destroy(),
  };
}

/** Every body once at every target, one after the other; who is first changes. Times by target, in bodies' order. */
export async function compareLatencies(
  targets: readonly Target[],
  bodies: readonly string[],
): Promise<Map<string, number[]>> {
  const times = new Map(targets.map((target) => [target.name, [] as number[]]));
  for (const [at, body] of bodies.entries()) {
    for (let step = 0; step < targets.length; step += 1) {
      const target = targets[(at + step) % targets.length]!;
      times.get(target.name)!.push(await target.search(body));
    }
  }
  return times;
}

/** Sends all bodies to one target, `concurrency` at a time. */
export async function burst(target: Target, bodies: readonly string[], concurrency: number): Promise<void> {
  let next = 0;
  const send = async () => {
    while (next < bodies.length) await target.search(bodies[next++]!);
  };
  await Promise.all(Array.from({ length: concurrency }, send));
}
