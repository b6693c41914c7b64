// Counts what one node would count once it has kept one document of each distinct value. Nodes count the duplicates that
// they met themselves; here they are asked again, knowing what all of them kept.
import { type Answer, cutAnswer, totalOf } from './answer.js';
import { compareBytes, fromByteText } from './byte-text.js';
import { searchKind } from './dfs-hybrid.js';
import { DistinctValues, noneOf } from './distinct.js';
import { documentFacets } from './document-facets.js';
import { allowsEquality } from './filterable-match.js';
import { fieldText } from './hits.js';
import { membersOf, memberText, scanArray } from './json-scan.js';
import { nodeBody, type SearchPlan, withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';

/** What was kept, over all nodes. */
export interface Kept {
  /** Raw ids of the kept hits, by answer; those without a value of the distinct field apart. */
  readonly ids: readonly (readonly string[])[];
  readonly valueless: readonly (readonly string[])[];
  /** Raw values of the distinct field that were met. */
  readonly values: readonly string[];
  /** Whether there were as many as asked for, so that others may match that nobody looked at. */
  readonly isFull: boolean;
}

export interface DistinctCount {
  readonly total: number;
  readonly distributions: readonly string[];
  readonly stats: readonly string[];
}

/** How a node is asked once more, by its position; null when it gives no answer. */
export interface AskAgain {
  search(source: number, body: string): Promise<string | null>;
  /** A body of `/documents/fetch`. */
  documents(source: number, body: string): Promise<string | null>;
}

/** Stands for the id of a hit that does not show it: a nested one that was not asked for. */
export const NO_ID = 'null';

/** With pages, no more documents of a node are looked at one by one. */
const MOST_DOCUMENTS = 10_000;

/**
 * The count; 'uncountable' where nodes cannot tell, null when one gave no answer. `answers` are the nodes' first ones,
 * whose facets name the fields that are to be counted.
 */
export async function countDistinct(
  plan: SearchPlan,
  answers: readonly { readonly text: string; readonly shards: readonly number[] }[],
  kept: Kept,
  ask: AskAgain,
): Promise<DistinctCount | 'uncountable' | null> {
  const counter = new Counter(plan, answers, kept, ask);
  if ([...kept.ids, ...kept.valueless].flat().includes(NO_ID)) return 'uncountable';
  if (!kept.isFull) return counter.ofKept();
  const filter = allowsEquality(plan.settings.filterableRules, plan.distinct!)
    ? noneOf(plan.distinct!, kept.values)
    : null;
  if (plan.paging.mode === 'offset') return filter === null ? 'uncountable' : counter.ofUnseen(filter);
  // Without the filter, kept documents are among those that are looked at, and told by their values.
  return counter.ofChosen(filter ?? '');
}

class Counter {
  private readonly fields: ReadonlySet<string>;

  constructor(
    private readonly plan: SearchPlan,
    private readonly answers: readonly { readonly text: string; readonly shards: readonly number[] }[],
    private readonly kept: Kept,
    private readonly ask: AskAgain,
  ) {
    this.fields = new Set(answers.flatMap(({ text }) => facetedFields(cutAnswer(text))));
  }

  /** Everything that matches was looked at: what was kept is all that counts. */
  async ofKept(): Promise<DistinctCount | null> {
    const { ids, valueless } = this.kept;
    const all = ids.map((own, source) => [...own, ...valueless[source]!]);
    const documents = await this.documentsOf(all);
    return documents === null ? null : this.counted(count(all), documents);
  }

  /** What was kept, and all that has none of its values; what was kept without a value is among the latter. */
  async ofUnseen(filter: string): Promise<DistinctCount | null> {
    const [texts, documents] = await Promise.all([
      this.everyNode((source, shards) => this.ask.search(source, unseenBody(this.plan, shards, filter))),
      this.documentsOf(this.kept.ids),
    ]);
    if (texts === null || documents === null) return null;
    const unseen = texts.map(cutAnswer);
    const total = unseen.reduce((sum, answer) => sum + totalOf(answer), count(this.kept.ids));
    return this.counted(total, documents, unseen);
  }

  /**
   * With pages, one document of each value that was not met counts as well. One node takes that which it got first; a
   * fleet the first by its id. All of them are looked at.
   */
  async ofChosen(filter: string): Promise<DistinctCount | 'uncountable' | null> {
    const { plan } = this;
    const { rankingScoreThreshold = null, matchingStrategy, q } = plan.query;
    const isPlaceholder = (q ?? '').trim() === '';
    if (plan.primaryKey === null || rankingScoreThreshold !== null || searchKind(plan.query) !== 'keyword')
      return 'uncountable';
    // By its setting, a node leaves duplicates out itself: enough to count values, not to choose documents.
    const isChosen = plan.settings.distinct !== null && this.fields.size > 0;
    if (!isPlaceholder && (matchingStrategy === 'frequency' || isChosen)) return 'uncountable';
    const [texts, keptDocuments] = await Promise.all([
      this.everyNode((source, shards) =>
        isPlaceholder
          ? this.ask.documents(source, this.fetchBody(filter, shards))
          : this.ask.search(source, this.candidatesBody(filter, shards)),
      ),
      this.documentsOf(this.kept.ids),
    ]);
    if (texts === null || keptDocuments === null) return null;
    const lists = texts.map((text) => (isPlaceholder ? readDocuments(text) : readHits(text)));
    if (lists.some(({ documents, total }) => documents.length < total)) return 'uncountable';
    const chosen = chooseFirst(
      plan,
      this.kept.values,
      lists.flatMap(({ documents }) => documents),
    );
    return this.counted(count(this.kept.ids) + chosen.length, [...keptDocuments, ...chosen]);
  }

  private counted(
    total: number,
    documents: readonly string[],
    unseen: readonly Answer[] = [],
  ): DistinctCount {
    const own = this.fields.size === 0 ? [] : [documentFacets(documents, this.fields)];
    const given = (key: string): string[] => unseen.flatMap(({ rest }) => rest.get(key) ?? []);
    return {
      total,
      distributions: [...given('facetDistribution'), ...own.map(({ distribution }) => distribution)],
      stats: [...given('facetStats'), ...own.map(({ stats }) => stats)],
    };
  }

  private async everyNode(
    askOne: (source: number, shards: readonly number[]) => Promise<string | null>,
  ): Promise<string[] | null> {
    const texts = await Promise.all(this.answers.map(({ shards }, source) => askOne(source, shards)));
    return texts.includes(null) ? null : (texts as string[]);
  }

  /** Documents by their raw ids; nothing is asked where facets are not wanted. */
  private async documentsOf(ids: readonly (readonly string[])[]): Promise<string[] | null> {
    if (this.fields.size === 0) return [];
    const texts = await this.everyNode((source) => {
      const own = ids[source]!;
      if (own.length === 0) return Promise.resolve('');
      // Raw, since numbers beyond 2^53 do not survive parsing.
      const body = JSON.stringify({ limit: own.length, fields: this.topFields() });
      return this.ask.documents(source, `${body.slice(0, -1)},"ids":[${fromByteText(own.join(','))}]}`);
    });
    return texts?.flatMap((text) => (text === '' ? [] : readDocuments(text).documents)) ?? null;
  }

  private fetchBody(filter: string, shards: readonly number[]): string {
    const body = JSON.stringify({ limit: MOST_DOCUMENTS, fields: this.topFields() });
    return `${body.slice(0, -1)},"filter":${withShards(conditions(this.plan, filter), shards)}}`;
  }

  private candidatesBody(filter: string, shards: readonly number[]): string {
    const { q, matchingStrategy, attributesToSearchOn, locales } = this.plan.query;
    const limit = this.plan.settings.maxTotalHits;
    const attributesToRetrieve = this.topFields();
    const body = JSON.stringify({
      q,
      matchingStrategy,
      attributesToSearchOn,
      locales,
      limit,
      attributesToRetrieve,
    });
    return `${body.slice(0, -1)},"filter":${withShards(conditions(this.plan, filter), shards)}}`;
  }

  /** Fields at the top of documents that have what is looked at. */
  private topFields(): string[] {
    const names = [this.plan.primaryKey!, this.plan.distinctKey!, ...this.fields];
    const top = names.map((key) => (JSON.parse(`"${fromByteText(key)}"`) as string).split('.')[0]!);
    return [...new Set(top)];
  }
}

function count(lists: readonly (readonly unknown[])[]): number {
  return lists.reduce((sum, list) => sum + list.length, 0);
}

function facetedFields(answer: Answer): string[] {
  const text = answer.rest.get('facetDistribution');
  return text === undefined ? [] : membersOf(text, 0).map(([field]) => field);
}

/** The client's filter and one more condition. */
function conditions({ query: { filter } }: SearchPlan, more: string): unknown[] {
  const own = filter === undefined || filter === null ? [] : Array.isArray(filter) ? filter : [filter];
  return more === '' ? own : [...own, more];
}

/** Counts what matches without any of the values; without hits nothing is left out for its value. */
function unseenBody(plan: SearchPlan, shards: readonly number[], filter: string): string {
  const {
    distinct: _,
    rankingScoreThreshold: __,
    filter: ___,
    ...body
  } = JSON.parse(nodeBody(plan, shards, false, 0)) as SearchQuery;
  return `${JSON.stringify(body).slice(0, -1)},"filter":${withShards(conditions(plan, filter), shards)}}`;
}

interface Listed {
  readonly documents: string[];
  readonly total: number;
}

function readDocuments(text: string): Listed {
  const results = memberText(text, 0, 'results') ?? '[]';
  return { documents: elementsOf(results), total: Number(memberText(text, 0, 'total') ?? 0) };
}

function readHits(text: string): Listed {
  const answer = cutAnswer(text);
  return { documents: elementsOf(text.slice(answer.hitsStart, answer.hitsEnd)), total: totalOf(answer) };
}

function elementsOf(array: string): string[] {
  const places = scanArray(array, 0);
  const out: string[] = [];
  for (let i = 0; i + 1 < places.length; i += 2) out.push(array.slice(places[i]!, places[i + 1]!));
  return out;
}

function chooseFirst(
  { primaryKey, distinct }: SearchPlan,
  kept: readonly string[],
  documents: readonly string[],
): string[] {
  const sorted = documents
    .map((text) => ({ text, id: fieldText(text, 0, primaryKey!) ?? '' }))
    .sort((left, right) => compareIds(left.id, right.id));
  const values = new DistinctValues(distinct!);
  for (const raw of kept) values.admit(() => raw);
  return sorted
    .filter(({ text }) => values.admit((field) => fieldText(text, 0, field)))
    .map(({ text }) => text);
}

function compareIds(left: string, right: string): number {
  const [one, other] = [Number(left), Number(right)];
  return Number.isNaN(one) || Number.isNaN(other) ? compareBytes(left, right) : one - other;
}
