// How fast a copy may go on: held while its change is paused, at the rate that all copies of the change share. Looked up
// again and again, so that what an operator decides reaches a copy that is running.

import type { ChangeControl } from '../../shared/core/change-control.js';
import type { Clock } from '../../shared/io/clock.js';
import type { Store } from '../../shared/io/store.js';
import type { Beat } from '../beat.js';

/** Without a limit, decisions are looked for so often. */
const LOOK_MS = 500;

export class CopyPace {
  private control: ChangeControl | null = null;
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly changeId: string,
  ) {}

  async isLimited(): Promise<boolean> {
    if (this.clock.nowMs() - this.lookedMs >= LOOK_MS) {
      this.control = await this.store.readControl(this.changeId);
      this.lookedMs = this.clock.nowMs();
    }
    return this.control !== null && (this.control.paused || this.control.documentsPerSecond !== null);
  }

  /** Waits for a turn; answers how many of `documents` may be copied in it. */
  async take(documents: number, beat: Beat): Promise<number> {
    while (await this.isLimited()) {
      const turn = await this.store.takeCopyTurn(this.changeId, documents);
      if (turn.documents > 0) return turn.documents;
      await beat.sleep(turn.waitMs);
    }
    return documents;
  }
}
