// Which fields an index has, in the order in which the journal brought them: every node registers them so, and then
// prints documents with their keys in the order of one node.

export interface FieldsStore {
  /** Names of the fields of an index from the `from`-th on. The list only grows, and never changes its order. */
  readFields(incarnation: number, from: number): Promise<string[]>;
}
