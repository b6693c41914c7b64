// What a verification asks of a stream: strays go, settings are sent again. Between two groups, like every step.
import { heldShards, strayFilter } from '../../shared/core/strays.js';
import type { Control } from '../../shared/io/store.js';
import { enqueueTask, NodeTrouble, type PhysicalIndex, type StreamContext } from './context.js';
import { applySettings } from './physical-index.js';

export async function runRepair(
  context: StreamContext,
  control: Control,
  index: PhysicalIndex,
): Promise<Record<string, unknown>> {
  if (control.kind === 'settings') {
    const streams = await context.store.readStreams();
    const position = streams.find((stream) => stream.node === context.node)?.position ?? -1;
    await applySettings(context, index, await context.store.readSettingsAt(control.incarnation!, position));
    return { sent: true };
  }
  // Read here: no copy of this node can begin before the deletion is done, for it would come through this stream.
  const { indexes } = await context.store.readTopology();
  const held = indexes.find((candidate) => candidate.incarnation === control.incarnation);
  if (held === undefined) return { deleted: 0 };
  const uid = await enqueueTask(context, {
    method: 'POST',
    path: `/indexes/${index.name}/documents/delete`,
    body: JSON.stringify({ filter: strayFilter(heldShards(held, context.node)) }),
  });
  const task = await context.client.waitTask(uid, context.signal);
  if (task.status !== 'succeeded')
    throw new NodeTrouble(
      context.node,
      task.error?.code ?? task.status,
      task.error?.message ?? 'no reason given',
    );
  return { deleted: Number(task.details?.deletedDocuments ?? 0) };
}
