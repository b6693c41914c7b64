// What the proxy refuses, in Meilisearch's words: indexes, parameters, keys.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { link, type ProxyApp, send as sendTo, startProxyApp } from '../support/proxy-app.js';

type Call = Parameters<typeof sendTo> extends [unknown, ...infer Rest] ? Rest : never;
let fleet: ProxyApp;
const send = (...call: Call) => sendTo(fleet, ...call);

describe('without a master key', () => {
  beforeAll(async () => {
    fleet = await startProxyApp(null);
  });
  afterAll(() => fleet.stop());

  it.each([
    [{ primaryKey: 'doggo' }, 'missing_index_uid', 'Missing field `uid`'],
    [
      { uid: 'the best doggo' },
      'invalid_index_uid',
      'Invalid value at `.uid`: `the best doggo` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.',
    ],
    [
      { uid: true },
      'invalid_index_uid',
      'Invalid value type at `.uid`: expected a string, but found a boolean: `true`',
    ],
    [
      { uid: 'doggo', primaryKey: ['the', 'best', 'doggo'] },
      'invalid_index_primary_key',
      'Invalid value type at `.primaryKey`: expected a string, but found an array: `["the","best","doggo"]`',
    ],
    [
      { uid: 'doggo', doggo: 'bernese' },
      'bad_request',
      'Unknown field `doggo`: expected one of `uid`, `primaryKey`',
    ],
  ])('refuses to create %j', async (body, code, message) => {
    expect(await send('POST', '/indexes', body)).toEqual(
      expect.objectContaining({
        status: 400,
        body: { message, code, type: 'invalid_request', link: link(code) },
      }),
    );
  });

  it.each([
    [
      { createdAt: 'doggo' },
      'immutable_index_created_at',
      'Immutable field `createdAt`: expected one of `primaryKey`, `uid`',
    ],
    [
      { updatedAt: 'doggo' },
      'immutable_index_updated_at',
      'Immutable field `updatedAt`: expected one of `primaryKey`, `uid`',
    ],
    [{ doggo: 'bork' }, 'bad_request', 'Unknown field `doggo`: expected one of `primaryKey`, `uid`'],
  ])('refuses to update with %j', async (body, code, message) => {
    expect((await send('PATCH', '/indexes/a', body)).body).toMatchObject({ code, message });
  });

  it.each([
    [
      '/indexes?offset=doggo',
      'invalid_index_offset',
      'Invalid value in parameter `offset`: could not parse `doggo` as a positive integer',
    ],
    ['/indexes?doggo=1', 'bad_request', 'Unknown parameter `doggo`: expected one of `offset`, `limit`'],
    [
      '/tasks?uids=1,dogo',
      'invalid_task_uids',
      'Invalid value in parameter `uids[1]`: could not parse `dogo` as a positive integer',
    ],
    [
      '/tasks?canceledBy=doggo',
      'invalid_task_canceled_by',
      'Invalid value in parameter `canceledBy`: could not parse `doggo` as a positive integer',
    ],
    [
      '/tasks?statuses=doggo',
      'invalid_task_statuses',
      'Invalid value in parameter `statuses`: `doggo` is not a valid task status. Available statuses are `enqueued`, `processing`, `succeeded`, `failed`, `canceled`.',
    ],
    [
      '/tasks?reverse=*',
      'invalid_task_reverse',
      'Invalid value in parameter `reverse`: could not parse `*` as a boolean, expected either `true` or `false`',
    ],
    [
      '/tasks?afterEnqueuedAt=doggo',
      'invalid_task_after_enqueued_at',
      'Invalid value in parameter `afterEnqueuedAt`: `doggo` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format.',
    ],
    [
      '/tasks?limit=-1',
      'invalid_task_limit',
      'Invalid value in parameter `limit`: could not parse `-1` as a positive integer',
    ],
    [
      '/tasks/doggo',
      'invalid_task_uids',
      'Task uid `doggo` is invalid. It should only contain numeric characters.',
    ],
    [
      '/indexes/the%20good%20doggo',
      'invalid_index_uid',
      '`the good doggo` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.',
    ],
  ])('refuses GET %s', async (url, code, message) => {
    expect(await send('GET', url)).toMatchObject({ status: 400, body: { code, message, link: link(code) } });
  });
});

describe('with a master key', () => {
  beforeAll(async () => {
    fleet = await startProxyApp('secret');
  });
  afterAll(() => fleet.stop());

  it.each([
    [
      {},
      401,
      'missing_authorization_header',
      'The Authorization header is missing. It must use the bearer authorization method.',
    ],
    [
      { authorization: 'Basic secret' },
      401,
      'missing_authorization_header',
      'The Authorization header is missing. It must use the bearer authorization method.',
    ],
    [{ authorization: 'Bearer wrong' }, 403, 'invalid_api_key', 'The provided API key is invalid.'],
    [{ authorization: 'Bearer' }, 403, 'invalid_api_key', 'The provided API key is invalid.'],
  ])('refuses %j', async (headers, status, code, message) => {
    for (const [method, url] of [
      ['GET', '/indexes'],
      ['POST', '/indexes'],
      ['GET', '/keys'],
    ] as const) {
      const answer = await send(method, url, method === 'POST' ? 'not even json' : undefined, headers);
      expect(answer).toMatchObject({ status, body: { code, message, type: 'auth', link: link(code) } });
    }
  });

  it('lets the key in, and everybody to /health', async () => {
    expect((await send('GET', '/indexes', undefined, { authorization: 'Bearer secret' })).status).toBe(200);
    expect((await send('GET', '/health')).status).toBe(200);
  });
});
