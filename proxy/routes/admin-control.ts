// The admin API of a change that runs or has run: decisions about it, the way back, and the record of both.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { describeNoWayBack } from '../../shared/core/rollback-refusal.js';
import { CHANGE_ACTIONS } from '../../shared/io/changes.js';
import { type ChangeRow, OPEN_CHANGES } from '../../shared/io/store-changes.js';
import type { MoveSelection } from '../../shared/io/store-control.js';
import { viewAudit, viewChangeLine } from '../admin/audit.js';
import { readDecision } from '../admin/requests.js';
import type { AdminContext } from './admin.js';

const bodyless = { config: { bodyless: true } };
const FOLLOW = ['miroir-ctl rebalance status --watch'];
const NOBODY = 'admin API';
/** Changes that a list shows, and moves with their steps that one page of a record shows. */
const MOST_CHANGES = 100;
const MOST_MOVES = 100;

export function registerControlRoutes(admin: FastifyInstance, ctx: AdminContext): void {
  const { store, changes } = ctx;

  for (const action of CHANGE_ACTIONS.filter((name) => name !== 'rollback')) {
    admin.post(`/rebalance/${action}`, bodyless, async (request) => {
      const { moveId = null, by = NOBODY, changeId: _which, ...detail } = readDecision(request.body);
      const running = action === 'cancel' ? await store.readLatestChange() : null;
      const result = await changes.act(action, moveId, { by, ...detail });
      // A cancellation is no update: nobody else would write down who asked for it.
      if (running) await store.recordEvent({ changeId: running.id, event: action, moveId, by, detail: {} });
      return { action, moveId, result: result ?? null, nextSteps: FOLLOW };
    });
  }

  admin.post('/rebalance/finish', bodyless, async (request) => {
    const { moveId, changeId, by = NOBODY } = readDecision(request.body);
    const { change, which } = await select(changeId ?? null, moveId ?? null);
    const sources = await store.endRetention(which);
    await store.recordEvent({
      changeId: change.id,
      event: 'finish',
      moveId: moveId ?? null,
      by,
      detail: { sources },
    });
    return {
      action: 'finish',
      moveId: moveId ?? null,
      result: `${sources} sources of change ${change.id} are kept no longer`,
      nextSteps: [`miroir-ctl rebalance show ${change.id}`],
    };
  });

  admin.post('/rebalance/rollback', bodyless, async (request, reply) => {
    const { moveId, changeId, by: asker } = readDecision(request.body);
    const by = asker ?? NOBODY;
    const { change, which } = await select(changeId ?? null, moveId ?? null);
    // One whose run was terminated says so until the next change begins.
    const isOpen = OPEN_CHANGES.has(change.status) && (await changes.progress()) !== null;
    if (isOpen && moveId) {
      const result = await changes.act('rollback', moveId, { by });
      return { action: 'rollback', moveId, result, nextSteps: FOLLOW };
    }
    if (isOpen)
      throw new ApiError(
        'miroir_change_in_progress',
        `Change \`${change.id}\` still runs. End it with \`miroir-ctl rebalance cancel\`, then roll it back; ` +
          'or name one of its moves.',
      );
    await requireRetained(change, moveId ?? null);
    const started = await changes.start({
      kind: 'rollback',
      nodes: [],
      ...(asker !== undefined && { by: asker }),
      ...(which.moveId === undefined ? { change: change.id } : { move: which.moveId }),
    });
    await store.recordEvent({
      changeId: change.id,
      event: 'rollback',
      moveId: moveId ?? null,
      by,
      detail: { rollback: started.changeId },
    });
    return reply.code(202).send({ ...started, kind: 'rollback', nextSteps: FOLLOW });
  });

  /** The change that is meant: by its id, by a move of it, or the latest that can be taken back. */
  async function select(
    changeId: string | null,
    moveId: string | null,
  ): Promise<{ change: ChangeRow; which: MoveSelection }> {
    const move = moveId === null ? null : await store.readMove(moveId);
    const id = changeId ?? move?.changeId ?? null;
    const latest = async () =>
      (await store.listChanges(MOST_CHANGES)).find(({ kind }) => kind !== 'rollback');
    const change =
      moveId !== null && move === null ? null : id === null ? await latest() : await store.readChange(id);
    if (!change)
      throw new ApiError(
        'miroir_change_not_found',
        `There is no ${moveId === null ? 'change' : 'move'} \`${moveId ?? changeId ?? 'of any kind'}\`. ` +
          'See `miroir-ctl rebalance list`.',
      );
    return { change, which: moveId === null ? { changeId: change.id } : { moveId } };
  }

  async function requireRetained(change: ChangeRow, moveId: string | null): Promise<void> {
    const { sources } = await store.readRetention(change.id);
    const move = moveId === null ? null : await store.readMove(moveId);
    const isKept = move === null ? sources > 0 : move.phase === 'retain' && move.sourceNode !== null;
    if (isKept) return;
    throw new ApiError(
      'miroir_invalid_change',
      `${moveId === null ? `Change \`${change.id}\`` : `Move \`${moveId}\``} cannot be rolled back: ` +
        describeNoWayBack(move === null ? await store.listMoves(change.id) : [move]),
    );
  }

  admin.get('/rebalance/changes', async () => {
    const rows = await store.listChanges(MOST_CHANGES);
    const lines = rows.map(async (change) => viewChangeLine(change, await store.readRetention(change.id)));
    return { changes: await Promise.all(lines), nextSteps: [] };
  });

  admin.get<{ Params: { id: string }; Querystring: { from?: string; limit?: string; move?: string } }>(
    '/rebalance/:id/audit',
    async (request) => {
      const { change } = await select(request.params.id, null);
      const from = Number(request.query.from ?? 0);
      const limit = Math.min(Number(request.query.limit ?? MOST_MOVES), MOST_MOVES);
      if (!Number.isSafeInteger(from) || from < 0 || !Number.isSafeInteger(limit) || limit < 1)
        throw new ApiError('bad_request', '`from` and `limit` must be whole numbers, `limit` at least 1.');
      const moveId = request.query.move;
      const move = moveId === undefined ? null : await store.readMove(moveId);
      if (moveId !== undefined && move?.changeId !== change.id)
        throw new ApiError(
          'miroir_change_not_found',
          `Change \`${change.id}\` has no move \`${moveId}\`. \`miroir-ctl rebalance show ${change.id}\` lists its moves.`,
        );
      return viewAudit(store, change, { from, limit, move });
    },
  );
}
