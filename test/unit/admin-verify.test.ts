// The admin API's verifications, and an operator's word on what a node has lost.
import { afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, silentNodes, startAdminServer } from '../support/admin-server.js';

const nodes = silentNodes('n1', 'n2', 'n3');

let server: AdminServer;
afterEach(() => server.close());

const call: AdminServer['call'] = (...request) => server.call(...request);

describe('verifications', () => {
  it('are started with what was asked for, shown, and ended', async () => {
    server = await startAdminServer({ nodes });
    expect((await call('GET', '/verify')).body).toMatchObject({ verification: null, findings: [] });
    const started = await call('POST', '/verify', { repair: true, from: 'n1', documentsPerSecond: 50 });
    expect(started).toMatchObject({ status: 202, body: { verificationId: 'verification-1' } });
    expect(server.verifications.started).toEqual([
      { index: null, repair: true, from: 'n1', documentsPerSecond: 50 },
    ]);
    const item = { indexUid: 'birds', incarnation: 1, shard: 0, node: null, kind: 'shard' as const };
    const input = { index: null, repair: false, from: null, documentsPerSecond: null };
    await server.store.openVerification('v1', input, [item, { ...item, shard: 1 }]);
    const counts = { documents: 9, missing: 1, extra: 0, different: 0, undecided: true };
    await server.store.saveVerificationItem('v1', 0, { ...counts, status: 'different', detail: {} });
    await server.store.setVerificationStatus('v1', 'done', null);
    expect((await call('GET', '/verify')).body).toMatchObject({
      verification: {
        id: 'v1',
        totals: { items: 2, checked: 1, different: 1, undecided: 1, missingDocuments: 1 },
      },
      findings: [{ shard: 0, status: 'different' }],
      nextSteps: ['miroir-ctl verify start --repair'],
    });
    const { health } = (await call('GET', '/status')).body;
    expect(health.reasons.join()).toContain('found 1 differences');
    expect((await call('POST', '/verify/abort')).body).toMatchObject({ aborted: true });
    expect(server.verifications.aborted).toBe(1);
  });

  it.each([
    [{ index: 'none' }, /no index `none`/],
    [{ from: 'n1' }, /set `repair` too/],
    [{ repair: true, from: 'n9' }, /no node `n9`/],
    [{ repair: 'yes' }, /`repair`/],
  ])('are refused: %j', async (body, message) => {
    server = await startAdminServer({ nodes });
    const refusal = await call('POST', '/verify', body);
    expect(refusal).toMatchObject({ status: 400, body: { code: 'miroir_invalid_verification' } });
    expect(refusal.body.message).toMatch(message);
    expect(server.verifications.started).toEqual([]);
    expect((await call('GET', '/verify/none')).body.code).toBe('miroir_verification_not_found');
  });
});

describe('what a node has lost', () => {
  it("is given up on an operator's word only", async () => {
    server = await startAdminServer({ nodes });
    expect(await call('POST', '/nodes/n1/forget-data')).toMatchObject({
      status: 400,
      body: {
        code: 'miroir_invalid_change',
        message: 'node "n1" has not lost what it held: there is nothing to give up',
      },
    });
    expect((await call('POST', '/nodes/n1/forget-data', { force: 1 })).status).toBe(400);
    const unknown = await call('POST', '/nodes/n9/forget-data');
    expect([unknown.status, unknown.body.message]).toEqual([400, expect.stringContaining('no node `n9`')]);
    const { generation } = (await server.store.takeOverStream('n1', 'test'))!;
    await server.store.declareLoss('n1', generation, 'was wiped');
    expect(await call('POST', '/nodes/n1/forget-data')).toMatchObject({
      status: 200,
      body: { node: 'n1', lost: [] },
    });
    expect(await server.store.readLoss('n1')).toMatchObject({ accepted: true });
  });
});
