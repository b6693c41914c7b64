// Meilisearch's error shape and the codes that Miroir uses, its own ones (`miroir_*`) included.

export type ErrorType = 'invalid_request' | 'internal' | 'auth' | 'system';

/** An error as Meilisearch shows it, in an answer or in a failed task. */
export interface MeilisearchError {
  message: string;
  code: string;
  type: ErrorType;
  link: string;
}

/** code -> [HTTP status, type]. Statuses and types of Meilisearch 1.50; `miroir_*` are ours. */
const CODES: Record<string, readonly [number, ErrorType]> = {
  api_key_not_found: [404, 'invalid_request'],
  bad_request: [400, 'invalid_request'],
  document_not_found: [404, 'invalid_request'],
  feature_not_enabled: [400, 'invalid_request'],
  immutable_index_created_at: [400, 'invalid_request'],
  immutable_index_updated_at: [400, 'invalid_request'],
  immutable_index_uid: [400, 'invalid_request'],
  index_already_exists: [409, 'invalid_request'],
  index_creation_failed: [500, 'internal'],
  index_not_found: [404, 'invalid_request'],
  index_primary_key_already_exists: [400, 'invalid_request'],
  index_primary_key_multiple_candidates_found: [400, 'invalid_request'],
  index_primary_key_no_candidate_found: [400, 'invalid_request'],
  internal: [500, 'internal'],
  invalid_api_key: [403, 'auth'],
  invalid_content_type: [415, 'invalid_request'],
  invalid_document_fields: [400, 'invalid_request'],
  invalid_document_filter: [400, 'invalid_request'],
  invalid_document_geo_field: [400, 'invalid_request'],
  invalid_document_id: [400, 'invalid_request'],
  invalid_index_uid: [400, 'invalid_request'],
  invalid_task_uid: [400, 'invalid_request'],
  invalid_vectors_type: [400, 'invalid_request'],
  malformed_payload: [400, 'invalid_request'],
  miroir_change_in_progress: [409, 'invalid_request'],
  miroir_change_not_found: [404, 'invalid_request'],
  miroir_invalid_change: [400, 'invalid_request'],
  miroir_invalid_scoring: [400, 'invalid_request'],
  miroir_lease_lost: [503, 'system'],
  miroir_node_unreachable: [502, 'system'],
  miroir_not_supported: [501, 'invalid_request'],
  miroir_plan_not_found: [404, 'invalid_request'],
  miroir_plan_outdated: [409, 'invalid_request'],
  miroir_reserved_field: [400, 'invalid_request'],
  miroir_shards_unavailable: [503, 'system'],
  miroir_store_restored: [503, 'system'],
  miroir_store_unavailable: [503, 'system'],
  miroir_temporal_unavailable: [503, 'system'],
  miroir_topology_changed: [503, 'system'],
  miroir_invalid_verification: [400, 'invalid_request'],
  miroir_verification_in_progress: [409, 'invalid_request'],
  miroir_verification_not_found: [404, 'invalid_request'],
  missing_authorization_header: [401, 'auth'],
  missing_content_type: [415, 'invalid_request'],
  missing_document_filter: [400, 'invalid_request'],
  missing_document_id: [400, 'invalid_request'],
  missing_index_uid: [400, 'invalid_request'],
  missing_master_key: [401, 'auth'],
  missing_payload: [400, 'invalid_request'],
  not_found: [404, 'invalid_request'],
  payload_too_large: [413, 'invalid_request'],
  task_not_found: [404, 'invalid_request'],
  too_many_search_requests: [503, 'system'],
  unsupported_media_type: [415, 'invalid_request'],
};

/** Status and type of a code; an `invalid_*`/`missing_*`/`immutable_*` code that is not listed is a 400. */
export function describeCode(code: string): { status: number; type: ErrorType } {
  const known = CODES[code];
  if (known) return { status: known[0], type: known[1] };
  return { status: code.startsWith('internal') ? 500 : 400, type: 'invalid_request' };
}

/** All codes of our own, for the documentation test. */
export function miroirCodes(): string[] {
  return Object.keys(CODES).filter((code) => code.startsWith('miroir_'));
}

export function errorLink(code: string): string {
  return code.startsWith('miroir_')
    ? `https://github.com/miroir-search/miroir/blob/main/docs/errors.md#${code}`
    : `https://docs.meilisearch.com/errors#${code}`;
}

/** The body of an error answer, or the `error` of a failed task. */
export function meilisearchError(code: string, message: string): MeilisearchError {
  return { message, code, type: describeCode(code).type, link: errorLink(code) };
}

/** Thrown anywhere on a request's way; the proxy turns it into Meilisearch's shape. */
export class ApiError extends Error {
  readonly status: number;
  constructor(
    readonly code: string,
    message: string,
    status?: number,
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status ?? describeCode(code).status;
  }
  toJSON(): MeilisearchError {
    return meilisearchError(this.code, this.message);
  }
}
