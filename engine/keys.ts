// API keys: HMAC-SHA256 of their uid under the master key, as in Meilisearch, with actions and index patterns.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../shared/core/errors.js';

export interface ApiKey {
  name: string | null;
  description: string | null;
  uid: string;
  actions: string[];
  indexes: string[];
  expiresAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface Access {
  allowsIndex: (indexUid: string) => boolean;
  allows: (action: string, indexUid?: string) => boolean;
}

const EVERYTHING: Access = { allowsIndex: () => true, allows: () => true };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function equalSecrets(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function invalidKey(): ApiError {
  return new ApiError('invalid_api_key', 'The provided API key is invalid.', 403);
}

export class Keys {
  private readonly byUid = new Map<string, ApiKey>();
  private readonly bySecret = new Map<string, ApiKey>();

  constructor(private readonly masterKey: string | null) {}

  /** The secret of a key. */
  secretOf(uid: string): string {
    return createHmac('sha256', this.masterKey ?? '')
      .update(uid)
      .digest('hex');
  }

  /** Checks a request's Authorization header against an action and, where there is one, an index. */
  authorize(header: string | undefined, action: string, indexUid?: string): Access {
    if (this.masterKey === null) {
      if (!action.startsWith('keys.')) return EVERYTHING;
      throw new ApiError(
        'missing_master_key',
        'Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at launch.',
        401,
      );
    }
    const secret = /^Bearer (.*)$/.exec(header ?? '')?.[1];
    if (secret === undefined) {
      throw new ApiError(
        'missing_authorization_header',
        'The Authorization header is missing. It must use the bearer authorization method.',
        401,
      );
    }
    if (equalSecrets(secret, this.masterKey)) return EVERYTHING;
    const key = this.bySecret.get(secret);
    if (!key || (key.expiresAt !== null && Date.parse(key.expiresAt) <= Date.now())) throw invalidKey();
    const access = accessOf(key);
    if (!access.allows(action)) throw invalidKey();
    if (indexUid !== undefined && !access.allowsIndex(indexUid)) {
      const message = `The API key cannot acces the index \`${indexUid}\`, authorized indexes are ${JSON.stringify(key.indexes)}.`;
      throw new ApiError('invalid_api_key', message, 403);
    }
    return access;
  }

  find(uidOrSecret: string): ApiKey {
    const key = this.byUid.get(uidOrSecret) ?? this.bySecret.get(uidOrSecret);
    if (key) return key;
    throw new ApiError('api_key_not_found', `API key \`${uidOrSecret}\` not found.`, 404);
  }

  /** A new key from a request's body; it counts only once put. */
  draft(body: Record<string, unknown>, now: string): ApiKey {
    for (const field of ['actions', 'indexes', 'expiresAt']) {
      if (body[field] !== undefined) continue;
      const code = `missing_api_key_${field === 'expiresAt' ? 'expires_at' : field}`;
      throw new ApiError(code, `Missing field \`${field}\``, 400);
    }
    const uid = (body.uid as string | null | undefined) ?? randomUUID();
    if (!UUID.test(uid)) {
      throw new ApiError('invalid_api_key_uid', `Invalid value at \`.uid\`: invalid UUID \`${uid}\``, 400);
    }
    if (this.byUid.has(uid)) {
      throw new ApiError(
        'api_key_already_exists',
        `\`uid\` field value \`${uid}\` is already an existing API key.`,
        409,
      );
    }
    return {
      name: (body.name as string | undefined) ?? null,
      description: (body.description as string | undefined) ?? null,
      uid,
      actions: body.actions as string[],
      indexes: body.indexes as string[],
      expiresAt: (body.expiresAt as string | null) ?? null,
      createdAt: now,
      updatedAt: now,
    };
  }

  put(key: ApiKey): void {
    this.byUid.set(key.uid, key);
    this.bySecret.set(this.secretOf(key.uid), key);
  }

  remove(uid: string): void {
    this.byUid.delete(uid);
    this.bySecret.delete(this.secretOf(uid));
  }

  all(): ApiKey[] {
    return [...this.byUid.values()].sort((left, right) => (left.createdAt < right.createdAt ? 1 : -1));
  }

  view(key: ApiKey): Record<string, unknown> {
    const { name, description, uid, ...rest } = key;
    return { name, description, key: this.secretOf(uid), uid, ...rest };
  }
}

function accessOf(key: ApiKey): Access {
  const allowsIndex = (indexUid: string) =>
    key.indexes.some((pattern) =>
      pattern.endsWith('*') ? indexUid.startsWith(pattern.slice(0, -1)) : pattern === indexUid,
    );
  const allowsAction = (action: string) =>
    key.actions.some(
      (granted) =>
        granted === '*' ||
        granted === action ||
        (granted === '*.get' && action.endsWith('.get')) ||
        (granted.endsWith('.*') && action.startsWith(granted.slice(0, -1))),
    );
  return {
    allowsIndex,
    allows: (action, indexUid) => allowsAction(action) && (indexUid === undefined || allowsIndex(indexUid)),
  };
}
