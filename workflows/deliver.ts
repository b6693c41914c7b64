// The stream of one node (`miroir/deliver/<cluster>/<node>`): one activity after the other, for as long as the node
// is in the topology.
import { continueAsNew, setCurrentDetails } from '@temporalio/workflow';
import { stream } from './steps.js';

export async function deliver(node: string): Promise<string> {
  setCurrentDetails(`Brings the journal to node **${node}**, in order, as its only writer.`);
  const end = await stream.deliver.executeWithOptions({ summary: `stream of ${node}` }, [node]);
  if (end === 'removed') return `node ${node} has left the topology`;
  return continueAsNew<typeof deliver>(node);
}
