// Which searches are under way, so that uploads can stand back for them: a thread that works without a pause is woken
// late when an answer arrives.

export class SearchTurns {
  private underWay = 0;
  private readonly waiting = new Set<() => void>();

  /** Counts a search; end() must follow when its answer is there. */
  begin(): void {
    this.underWay++;
  }

  end(): void {
    if (--this.underWay === 0) for (const end of this.waiting) end();
  }

  /** Resolves when no search is under way, and at the latest after so long: an upload moves on under any load. */
  quiet(mostMs: number): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, mostMs);
      this.waiting.add(end);
    });
  }
}
