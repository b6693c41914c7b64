// How fast a verification reads: documents a second over all replicas, so that searches and writes hardly notice it.
import type { Clock } from '../../shared/io/clock.js';
import type { Beat } from '../beat.js';

export class Pace {
  private readonly startedMs: number;
  private documents = 0;
  constructor(
    private readonly documentsPerSecond: number,
    private readonly clock: Clock,
  ) {
    this.startedMs = clock.nowMs();
  }

  /** Waits until so many more documents may have been read. */
  async spend(documents: number, beat: Beat): Promise<void> {
    this.documents += documents;
    const dueMs = (this.documents / this.documentsPerSecond) * 1_000;
    const aheadMs = dueMs - (this.clock.nowMs() - this.startedMs);
    if (aheadMs > 0) await beat.sleep(aheadMs);
  }
}
