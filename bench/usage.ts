// Asks measured processes for their processor time and memory, and describes the machine they ran on.
import { connect } from 'node:net';
import { cpus, loadavg, totalmem } from 'node:os';
import { probePath, type Usage } from './probe.js';

/** The environment that makes a Node process answer readUsage. */
export function probeEnvironment(folder: string): Record<string, string> {
  return {
    MIROIR_BENCH_PROBE_DIR: folder,
    NODE_OPTIONS: `--import=${new URL('./probe.js', import.meta.url).href}`,
  };
}

/** Asks the process with this pid. Rejects when it does not answer. */
export function readUsage(folder: string, pid: number): Promise<Usage> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(probePath(folder, pid));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.once('error', reject);
    socket.once('end', () => {
      try {
        resolve(JSON.parse(text) as Usage);
      } catch (error) {
        reject(error);
      }
    });
  });
}

export interface Machine {
  processors: string;
  memoryBytes: number;
  node: string;
  /** Load averages of one, five and fifteen minutes; far above the number of processors, ratios wander. */
  load: readonly number[];
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    processors: `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`,
    memoryBytes: totalmem(),
    node: process.version,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}
