// Preloaded into a measured process (--import): tells its processor time and memory to whoever connects. Costs nothing
// while nobody asks.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** What a measured process says of itself: all its threads together, microseconds and bytes. */
export interface Usage {
  cpuMicros: number;
  rssBytes: number;
  /** The most that it ever had resident. */
  peakRssBytes: number;
}

/** Where the process with this pid listens. */
export function probePath(folder: string, pid: number): string {
  return join(folder, `probe-${pid}.sock`);
}

const folder = process.env.MIROIR_BENCH_PROBE_DIR;
if (isMainThread && folder) {
  const server = createServer((socket) => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const usage: Usage = {
      cpuMicros: userCPUTime + systemCPUTime,
      rssBytes: process.memoryUsage.rss(),
      peakRssBytes: maxRSS * 1_024,
    };
    socket.on('error', () => {});
    socket.end(JSON.stringify(usage));
  });
  server.listen(probePath(folder, process.pid));
  server.unref();
}
