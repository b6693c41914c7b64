// Who may ask: nobody needs a key when the fleet has none; otherwise the master key, as a bearer token.
import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../shared/core/errors.js';

/** True when the texts are equal, in a time that does not tell where they differ. */
export function equalSecrets(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** The bearer token of an Authorization header; null when there is no header. Throws as Meilisearch does. */
export function bearerToken(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const space = authorization.indexOf(' ');
  const scheme = space < 0 ? authorization : authorization.slice(0, space);
  if (scheme !== 'Bearer') throw missingHeader();
  if (space < 0) throw invalidKey();
  return authorization.slice(space + 1);
}

/** Lets a client's request pass, or throws Meilisearch's 401 or 403. */
export function authorizeClient(authorization: string | undefined, masterKey: string | null): void {
  if (masterKey === null) return;
  const token = bearerToken(authorization);
  if (token === null) throw missingHeader();
  if (!equalSecrets(token, masterKey)) throw invalidKey();
}

function missingHeader(): ApiError {
  return new ApiError(
    'missing_authorization_header',
    'The Authorization header is missing. It must use the bearer authorization method.',
  );
}

function invalidKey(): ApiError {
  return new ApiError('invalid_api_key', 'The provided API key is invalid.');
}
