// How a node is named and reached: what an id may be, what a URL may be, and the one spelling that is kept of it.

export const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
export const NODE_ID_RULE = 'must be letters, digits, hyphens and underscores, at most 64';

/** Why a text cannot be a node's URL, or null. */
export function nodeUrlProblem(text: string): string | null {
  if (!URL.canParse(text)) return 'is not a URL; expected for example `http://10.0.0.4:7700`';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'must not carry credentials; pass the key beside it';
  if (url.search !== '' || url.hash !== '') return 'must have no query and no fragment';
  return null;
}

/** One spelling of a URL, so that a node cannot hide behind a trailing slash or capital letters. */
export function normalizeNodeUrl(text: string): string {
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}
