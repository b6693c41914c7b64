// What a fleet may answer after a history of writes: for each document the states that are possible. An acknowledged
// write leaves one; a write without an answer leaves both, before and after it.

export type ChaosDocument = { id: string; group: string; revision: number; [field: string]: unknown };

export type Write =
  | { kind: 'add'; documents: ChaosDocument[] }
  | { kind: 'update'; documents: ({ id: string } & Record<string, unknown>)[] }
  | { kind: 'delete'; ids: string[] }
  | { kind: 'delete-by-filter'; group: string };

type State = Readonly<Record<string, unknown>> | null;

export interface Verdict {
  expected: number;
  found: number;
  /** Acknowledged and not there. */
  lost: string[];
  /** Deleted, or never written, and there. */
  resurrected: string[];
  /** There, with a content that no order of the writes gives. */
  wrong: string[];
}

/** Documents of one writer, whose writes follow one another: the next begins after the answer of the one before. */
export class History {
  private readonly states = new Map<string, State[]>();
  /** Writes without an answer: they may still arrive, so that nobody writes to their documents again. */
  private readonly open = new Map<string, Write[]>();
  /** Groups that a deletion without an answer may still empty, so that no document may come into them again. */
  readonly openGroups = new Set<string>();
  acknowledged = 0;
  unanswered = 0;

  acknowledge(write: Write): void {
    this.acknowledged += 1;
    for (const [id, states] of this.touched(write)) {
      const after = states.map((state) => apply(state, id, write));
      this.states.set(id, this.open.has(id) ? this.withOpen(id, [...states, ...after]) : distinct(after));
    }
  }

  /** A write that got no answer: it may have happened, or may still happen. */
  leaveOpen(write: Write): void {
    this.unanswered += 1;
    if (write.kind === 'delete-by-filter') this.openGroups.add(write.group);
    for (const [id, states] of this.touched(write)) {
      // Nothing comes into the group any more: whoever may not be in it now is safe from it.
      if (write.kind === 'delete-by-filter' && !states.some((state) => state?.group === write.group))
        continue;
      this.open.set(id, [...(this.open.get(id) ?? []), write]);
      this.states.set(id, this.withOpen(id, states));
    }
  }

  /** The states, and what the open writes of the document may still make of each. */
  private withOpen(id: string, states: State[]): State[] {
    let reached = distinct(states);
    for (const write of this.open.get(id)!)
      reached = distinct([...reached, ...reached.map((state) => apply(state, id, write))]);
    return reached;
  }

  /** Documents that are certainly there and may be written to. */
  known(): string[] {
    return [...this.states]
      .filter(([id, states]) => !this.open.has(id) && states.every((state) => state !== null))
      .map(([id]) => id);
  }

  /** Whether a document with this id, or none for null, may be what the fleet answers. */
  allows(id: string, found: Record<string, unknown> | null): boolean {
    const text = found === null ? null : canonical(found);
    return (this.states.get(id) ?? [null]).some((state) =>
      state === null ? text === null : text === canonical(state),
    );
  }

  judge(found: ReadonlyMap<string, Record<string, unknown>>): Verdict {
    const verdict: Verdict = { expected: 0, found: 0, lost: [], resurrected: [], wrong: [] };
    for (const [id, states] of this.states) {
      const document = found.get(id) ?? null;
      const possible = states.filter((state) => state !== null);
      if (document !== null) verdict.found += 1;
      if (possible.length === states.length) verdict.expected += 1;
      if (this.allows(id, document)) continue;
      const said = `${id} is ${JSON.stringify(document)}, possible: ${JSON.stringify(states)}`;
      if (document === null) verdict.lost.push(said);
      else if (possible.length === 0) verdict.resurrected.push(said);
      else verdict.wrong.push(said);
    }
    for (const [id, document] of found)
      if (!this.states.has(id))
        verdict.resurrected.push(`${id} was never written: ${JSON.stringify(document)}`);
    return verdict;
  }

  /** The documents that a write may change, with their possible states; new ones are absent so far. */
  private touched(write: Write): [string, State[]][] {
    if (write.kind === 'delete-by-filter') return [...this.states];
    const ids = write.kind === 'delete' ? write.ids : write.documents.map(({ id }) => id);
    return [...new Set(ids)].map((id) => [id, this.states.get(id) ?? [null]]);
  }
}

function apply(state: State, id: string, write: Write): State {
  if (write.kind === 'delete') return null;
  if (write.kind === 'delete-by-filter') return state?.group === write.group ? null : state;
  const document = write.documents.findLast((candidate) => candidate.id === id)!;
  return write.kind === 'add' ? document : { ...state, ...document };
}

function distinct(states: State[]): State[] {
  const byText = new Map(states.map((state) => [state === null ? '' : canonical(state), state]));
  return [...byText.values()];
}

/** Keys in one order: a node may store them in another. */
function canonical(document: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1)));
}
