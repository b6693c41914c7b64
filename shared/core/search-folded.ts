// An index whose ids Meilisearch may sort as one, on a node that answers alone: its answer, with tied hits in the order
// of their raw ids, as several nodes are merged. Without it, replicas and pages could disagree about them.
import { cutAnswer } from './answer.js';
import { showHit } from './hits.js';
import { mergeHits } from './merge.js';
import { relayAnswer } from './search-answer.js';
import { askedOf, nodeBody, type SearchPlan } from './search-plan.js';

/** What such a node is asked: the search itself, and the hits from the top with what they compare by. */
export function foldedBodies(plan: SearchPlan, shards: readonly number[]): string[] {
  return [nodeBody(plan, shards, true), nodeBody(plan, shards, false)];
}

/** The client's answer; null when the node gave none to a question for the rest of a tie. */
export async function splitFolded(
  plan: SearchPlan,
  shards: readonly number[],
  [alone, ranked]: readonly string[],
  ask: (body: string) => Promise<string | null>,
): Promise<string | null> {
  const { required, skip, take } = plan.paging;
  let text = ranked!;
  for (let asked = askedOf(plan); ; ) {
    const options = { required, primaryKey: plan.primaryKey, byDistance: plan.byDistance, asked: [asked] };
    const { hits, short } = mergeHits([cutAnswer(text)], options);
    if (short.length === 0 || asked > plan.settings.maxTotalHits) {
      const { view } = plan.spread();
      const shown = hits.slice(skip, skip + take).map(({ start }) => showHit(text, start, view));
      const own = cutAnswer(relayAnswer(alone!, plan));
      return `${own.text.slice(0, own.hitsStart)}[${shown.join(',')}]${own.text.slice(own.hitsEnd)}`;
    }
    asked = 2 * asked + 16;
    const more = await ask(nodeBody(plan, shards, false, asked));
    if (more === null) return null;
    text = more;
  }
}
