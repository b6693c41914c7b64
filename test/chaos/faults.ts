// The faults of a chaos run: processes are killed with -9, or stopped for longer than their lease or heartbeat and
// continued. After each one a write tells how long it takes until the fleet accepts and finishes writes again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../up/tour/random.js';
import { type ChaosFleet, STUCK_MS } from './fleet.js';
import type { ChaosSearcher } from './searcher.js';

export const FAULTS = [
  'kill worker',
  'kill proxy',
  'kill node',
  'kill Temporal',
  'stop worker',
  'stop proxy',
  'stop node',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultRecord {
  fault: Fault;
  victim: string;
  /** Whether the change was still going on when the fault came. */
  isWithin: boolean;
  /** From the fault until a write was accepted, and until its task had succeeded. */
  acceptedMs: number;
  succeededMs: number;
  /** Searches that a client had to send again meanwhile. */
  searchRetries: number;
  slowestSearchMs: number;
}

export interface Struck {
  record: Omit<FaultRecord, 'isWithin'>;
  /** Resolves when what was killed is there again, or its replacement is. */
  mended: Promise<unknown>;
}

/** Sends a write and waits for it; says when it was accepted and when its task had succeeded. */
export type Probe = () => Promise<{ acceptedMs: number; succeededMs: number }>;

export async function strike(
  fault: Fault,
  fleet: ChaosFleet,
  random: Random,
  searcher: ChaosSearcher,
  probe: Probe,
): Promise<Struck> {
  const { cluster } = fleet;
  const victim = await chooseVictim(fault, fleet, random);
  const retriesBefore = searcher.retries();
  searcher.takeSlowestMs();
  const measured = async (hurt: () => Promise<unknown>, mend: () => Promise<unknown>) => {
    const hurting = hurt();
    // A stopped process goes on while the probe still waits; a killed one is replaced after it, while the change goes on.
    const [times] = await Promise.all([probe(), hurting]);
    const searchRetries = searcher.retries() - retriesBefore;
    const record = { fault, victim, ...times, searchRetries, slowestSearchMs: searcher.takeSlowestMs() };
    return { record, mended: mend() };
  };
  const stopFor = async (durationMs: number, isFrozen: boolean) => {
    if (isFrozen) await cluster.freeze(victim);
    else cluster.signal(victim, 'SIGSTOP');
    await sleep(durationMs);
    cluster.signal(victim, 'SIGCONT');
  };
  switch (fault) {
    case 'kill worker':
      fleet.workers.delete(victim);
      return measured(
        () => cluster.kill(victim),
        () => fleet.addWorker(),
      );
    case 'kill proxy':
      return measured(
        () => cluster.kill(victim),
        async () => {
          fleet.proxies.delete(victim);
          await fleet.addProxy();
        },
      );
    case 'kill node':
      return measured(
        () => cluster.kill(victim),
        async () => {
          await sleep(random.below(3_000));
          await cluster.restart(victim, STUCK_MS);
        },
      );
    case 'kill Temporal':
      return measured(
        () => fleet.restartTemporal(random.below(3_000)),
        async () => undefined,
      );
    case 'stop worker':
      // Longer than the heartbeat's time-out: another worker takes over, and this one wakes up as a zombie.
      return measured(
        () => stopFor(11_000 + random.below(2_000), true),
        async () => undefined,
      );
    case 'stop proxy':
      // Longer than its lease and its grace.
      return measured(
        () => stopFor(6_000 + random.below(4_000), true),
        async () => undefined,
      );
    case 'stop node':
      return measured(
        () => stopFor(2_000 + random.below(4_000), false),
        async () => undefined,
      );
  }
}

async function chooseVictim(fault: Fault, fleet: ChaosFleet, random: Random): Promise<string> {
  if (fault === 'kill Temporal') return 'Temporal';
  if (fault.endsWith('worker')) return random.pick([...fleet.workers]);
  if (fault.endsWith('proxy')) return random.pick([...fleet.proxies.keys()]);
  const { nodes } = await fleet.topology();
  return random.pick(nodes.filter(({ state }) => state === 'active').map(({ id }) => id));
}
