// Merges the documents that several nodes gave for one page: by the sort that was asked for, then the primary key.
// Documents are cut out of the answers as bytes and relayed as they are, without what Miroir added.
import { toByteText } from '../../shared/core/byte-text.js';
import { cutArray, stripField, textOf, topLevelFields } from '../../shared/core/json-text.js';
import { compareKeys, type KeyPart, type MergeKey } from '../../shared/core/merge-keys.js';
import { SHARD_FIELD } from '../../shared/core/topology.js';

/** Where a node puts the values that it sorted a document by. */
const SORT_FIELD = '_federation';

interface Placed {
  key: MergeKey;
  bytes: Uint8Array;
}

interface SortValues {
  weightedScoreValues: {
    sort?: { asc: boolean; value: unknown };
    geoSort?: { asc: boolean; distance: number | null };
  }[];
}

/** The body of the answer for `offset` and `limit` from the first documents of every node. */
export function mergeDocuments(answers: readonly Uint8Array[], offset: number, limit: number): Buffer {
  const placed: Placed[] = [];
  let total = 0;
  for (const answer of answers) {
    for (const field of topLevelFields(answer)) {
      if (field.key === 'total') total += Number(textOf(answer, field.valueRange));
      if (field.key !== 'results') continue;
      const results = answer.subarray(field.valueRange.start, field.valueRange.end);
      for (const range of cutArray(results)) placed.push(place(results.subarray(range.start, range.end)));
    }
  }
  placed.sort((left, right) => compareKeys(left.key, right.key));
  const pieces: Uint8Array[] = [Buffer.from('{"results":[')];
  for (const [position, { bytes }] of placed.slice(offset, offset + limit).entries()) {
    if (position > 0) pieces.push(Buffer.from(','));
    pieces.push(stripField(stripField(bytes, SORT_FIELD), SHARD_FIELD));
  }
  pieces.push(Buffer.from(`],"offset":${offset},"limit":${limit},"total":${total}}`));
  return Buffer.concat(pieces);
}

function place(bytes: Uint8Array): Placed {
  // The node appends its values last; a field of the user of that name would come before.
  const field = topLevelFields(bytes).findLast((candidate) => candidate.key === SORT_FIELD);
  if (field === undefined) return { key: [], bytes };
  const values = JSON.parse(textOf(bytes, field.valueRange)) as SortValues;
  return { key: values.weightedScoreValues.map(keyPart), bytes };
}

function keyPart(value: SortValues['weightedScoreValues'][number]): KeyPart {
  if (value.geoSort) {
    return { kind: 'geo', metres: value.geoSort.distance, descending: !value.geoSort.asc };
  }
  const descending = value.sort?.asc === false;
  const given = value.sort?.value;
  if (typeof given === 'number') return { kind: 'sort', class: 0, value: given, descending };
  if (typeof given === 'string') return { kind: 'sort', class: 1, value: toByteText(given), descending };
  return { kind: 'sort', class: 2, value: 0, descending };
}
