// Rule `exactness` over many nodes: which words a node knows decides which of its hits it calls exact. Only hits that
// are called so are looked into, and only where the hit itself does not prove that the node knows the words.
import type { Answer } from './answer.js';
import { correctRows } from './dfs-correction.js';
import { type Correction, judgedBy, judgeExactness, matchesOf } from './dfs-hits.js';
import { HitWords, type PlainWord, plainWord } from './hit-words.js';
import { detailsText } from './hits.js';
import type { RuleDetail } from './merge-keys.js';
import { type QueryTerms, readTerms, termText, wordSettings } from './query-terms.js';
import type { SearchPlan } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import { searchSettings } from './search-settings.js';
import type { TopologyIndex } from './topology.js';

/** Asks a source several searches in one request; null when it does not answer. Texts are byte texts. */
export type AskMany = (source: number, bodies: readonly string[]) => Promise<readonly string[] | null>;

/** A query of several terms, on which all nodes must agree. */
export interface SharedTerms extends QueryTerms {
  /** Key texts of the searchable attributes, or null for all. */
  readonly searchable: readonly string[] | null;
}

/** Whether a query may have several terms: a cheap look before it is read. */
export function mayHaveTerms({ q }: SearchQuery): boolean {
  return q !== undefined && q !== null && /\S[^\p{L}\p{N}]+\S/u.test(q);
}

/** The terms of a query that nodes may judge differently; null for a single one, and where words cannot be told. */
export function sharedTerms(query: SearchQuery, index: TopologyIndex): SharedTerms | null {
  if (!mayHaveTerms(query) || query.locales) return null;
  const terms = readTerms(query.q!, wordSettings(index));
  if (terms === null || terms.terms.length < 2) return null;
  return { ...terms, searchable: searchSettings(index).searchable };
}

/** The body that asks whether a node knows a term's very word, in whatever documents it has. */
export function knowledgeBody(terms: QueryTerms, term: number): string {
  return JSON.stringify({ q: `"${termText(terms, term)}"`, matchingStrategy: 'all', limit: 0 });
}

/** Corrects the answers of nodes to one query. */
export class ExactnessGuard {
  /** What each source knows: by term, unknown yet where undefined. */
  private readonly knows = new Map<number, Promise<boolean[] | null>>();
  private readonly words: (PlainWord | null)[];

  constructor(
    private readonly plan: SearchPlan,
    private readonly terms: SharedTerms,
    private readonly sources: number,
    private readonly askMany: AskMany,
  ) {
    this.words = terms.terms.map((_, term) => plainWord(termText(terms, term)));
  }

  /** The answer to a body as one node holding every document would have judged its hits; null: a node was lost. */
  async correct(
    source: number,
    answer: Answer,
    body: string,
    ask: (source: number, body: string) => Promise<string | null>,
  ): Promise<string | null> {
    const { text } = answer;
    const unproven = this.unprovenTerms(answer);
    if (unproven.size === 0) return text;
    const own = await this.knowledgeOf(source);
    if (own === null) return null;
    if ([...unproven].every((term) => own[term])) return text;
    const fleet = await this.fleetKnowledge();
    if (fleet === null) return null;
    const asked = readAsked(body);
    const rows = await correctRows(
      text,
      asked,
      {
        correction: this.correction(fleet, own),
        terms: this.terms.terms.length,
        maxTotalHits: this.plan.settings.maxTotalHits,
        byDistance: this.plan.byDistance,
      },
      (more) => ask(source, withAsked(body, more)),
    );
    if (rows === null) return null;
    const hits = rows.map((row) => row.text).join(',');
    return `${text.slice(0, answer.hitsStart)}[${hits}]${text.slice(answer.hitsEnd)}`;
  }

  private correction(fleet: readonly boolean[], own: readonly boolean[]): Correction {
    return {
      words: null,
      exactness: (dropped) => judgeExactness(keptTerms(this.terms, dropped), fleet, own),
    };
  }

  /** Terms of hits that count as exact though their text does not show the term's word. */
  private unprovenTerms(answer: Answer): Set<number> {
    const { terms } = this.terms;
    const open = new Set<number>();
    const proven = new Set<number>();
    for (let hit = 0; hit < answer.details.length && proven.size < terms.length; hit++) {
      const judged = judgedAt(answer, hit);
      if (judged === null) continue;
      const kept = keptTerms(this.terms, judged.dropped).filter((term) => !proven.has(term));
      if (kept.length === 0) continue;
      const values = new HitWords(answer.text, answer.hits[2 * hit]!, this.terms.searchable);
      for (const term of kept) {
        const word = this.words[term] ?? null;
        if (terms[term]!.phraseWords > 0 || (word !== null && values.have(word))) proven.add(term);
        else open.add(term);
      }
    }
    for (const term of proven) open.delete(term);
    return open;
  }

  private knowledgeOf(source: number): Promise<boolean[] | null> {
    let known = this.knows.get(source);
    if (known === undefined) {
      known = this.askKnowledge(source);
      this.knows.set(source, known);
    }
    return known;
  }

  private async askKnowledge(source: number): Promise<boolean[] | null> {
    const bodies = this.terms.terms.map((_, term) => knowledgeBody(this.terms, term));
    const answers = await this.askMany(source, bodies);
    return answers === null ? null : answers.map((answer) => matchesOf(answer) > 0);
  }

  private async fleetKnowledge(): Promise<boolean[] | null> {
    const all = await Promise.all(
      Array.from({ length: this.sources }, (_, source) => this.knowledgeOf(source)),
    );
    if (all.includes(null)) return null;
    return this.terms.terms.map((_, term) => all.some((known) => known![term]));
  }
}

/** The terms that are left when so many were dropped from the end; phrases stay. */
function keptTerms({ terms }: QueryTerms, dropped: number): number[] {
  let left = dropped;
  const kept: number[] = [];
  for (let term = terms.length - 1; term >= 0; term--) {
    if (left > 0 && terms[term]!.phraseWords === 0) left--;
    else kept.unshift(term);
  }
  return kept;
}

/** How a hit that its node calls exact, or a start, was judged; null for all others. */
function judgedAt({ text, hits, details }: Answer, hit: number): { readonly dropped: number } | null {
  const head = details[hit]?.head;
  if (head) return judgedBy(head.rules);
  const other = detailsText(text, hits[2 * hit]!, hits[2 * hit + 1]!);
  if (other === null || !/"matchType":"(?:exactMatch|matchesStart)"/.test(other)) return null;
  return judgedBy(JSON.parse(other) as Record<string, RuleDetail>);
}

/** Whether words decided for a node that some hit is exact, or a start. */
export function isSuspect(answer: Answer): boolean {
  const { details } = answer;
  // One head stands for many hits that follow each other.
  return details.some((cut, hit) => {
    const isKnown = hit > 0 && cut?.head != null && cut.head === details[hit - 1]?.head;
    return !isKnown && judgedAt(answer, hit) !== null;
  });
}

const ASKED = /"(limit|hitsPerPage)":(\d+)\}$/;

/** How many hits a body to a node asks for. */
export function readAsked(body: string): number {
  return Number(ASKED.exec(body)?.[2] ?? 0);
}

export function withAsked(body: string, asked: number): string {
  return body.replace(ASKED, `"$1":${asked}}`);
}
