// The admin API's verifications: start one, see how far it is and what it found, end it.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError } from '../../shared/core/errors.js';
import { findIndex, findNode } from '../../shared/core/topology.js';
import type { VerificationRow } from '../../shared/io/store-verifications.js';
import type { AdminContext } from './admin.js';

const bodyless = { config: { bodyless: true } };
/** Findings in one answer. */
const MOST_FINDINGS = 500;

const schema = z.strictObject({
  index: z.string().min(1).nullish(),
  repair: z.boolean().optional(),
  from: z.string().min(1).nullish(),
  documentsPerSecond: z.number().positive().nullish(),
});

export function registerVerifyRoutes(admin: FastifyInstance, ctx: AdminContext): void {
  const { store, verifications } = ctx;

  admin.post('/verify', bodyless, async (request, reply) => {
    const input = await readInput(request.body);
    const started = await verifications.start(input);
    ctx.log.info(
      { verification: started.verificationId, repair: input.repair },
      'a verification was started',
    );
    return reply.code(202).send({ ...started, nextSteps: ['miroir-ctl verify status --watch'] });
  });

  admin.post('/verify/abort', bodyless, async () => {
    await verifications.abort();
    return { aborted: true, nextSteps: ['miroir-ctl verify status'] };
  });

  admin.get('/verify', async () => view(await store.readLatestVerification()));

  admin.get<{ Params: { id: string } }>('/verify/:id', async (request) => {
    const row = await store.readVerification(request.params.id);
    if (row === null)
      throw new ApiError(
        'miroir_verification_not_found',
        `There is no verification \`${request.params.id}\`. The last 20 are kept.`,
      );
    return view(row);
  });

  async function readInput(body: unknown) {
    const parsed = schema.safeParse(body ?? {});
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw refused(`Invalid value at \`${issue.path.join('.') || 'body'}\`: ${issue.message}`);
    }
    const { index = null, repair = false, from = null, documentsPerSecond = null } = parsed.data;
    const topology = await store.readTopology();
    if (index !== null && !findIndex(topology, index)) throw refused(`There is no index \`${index}\`.`);
    if (from !== null && !repair)
      throw refused('`from` says which node is right in a repair: set `repair` too.');
    if (from !== null && !findNode(topology, from)) throw refused(`There is no node \`${from}\`.`);
    return { index, repair, from, documentsPerSecond };
  }

  async function view(verification: VerificationRow | null) {
    if (verification === null)
      return { verification: null, findings: [], nextSteps: ['miroir-ctl verify start'] };
    const findings = await store.listVerificationItems(
      verification.id,
      ['different', 'unchecked', 'repaired'],
      MOST_FINDINGS,
    );
    return { verification, findings, nextSteps: nextSteps(verification) };
  }
}

function refused(message: string): ApiError {
  return new ApiError('miroir_invalid_verification', message);
}

function nextSteps({ status, input, totals }: VerificationRow): string[] {
  if (status === 'running') return ['miroir-ctl verify status --watch'];
  if (totals.different === 0) return [];
  const index = input.index === null ? '' : ` --index ${input.index}`;
  if (!input.repair) return [`miroir-ctl verify start${index} --repair`];
  return totals.undecided > 0 ? [`miroir-ctl verify start${index} --repair --from <node that is right>`] : [];
}
