// Versions: ours, and the Meilisearch whose behaviour we have.

export const MIROIR_VERSION = '0.1.0';

/** Clients choose features by it. */
export const MEILISEARCH_VERSION = '1.50.0';
