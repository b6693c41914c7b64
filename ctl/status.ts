// `status`: in one screen whether the fleet is healthy, why not, and the next command.
import type { Command } from 'commander';
import { EXIT } from './exit.js';
import { formatAge, formatCounts, formatTable } from './output.js';
import type { Runner } from './program.js';
import { describeChange } from './progress.js';
import type { NodeView, StatusView } from './views.js';

export function addStatusCommand(program: Command, run: Runner): void {
  program
    .command('status')
    .description('Shows whether the fleet is healthy, why not, and what to do next.')
    .action(
      run(async ({ api, output }) => {
        const status = await api.get<StatusView>('/status');
        const { health } = status;
        const healthy = health.verdict === 'healthy';
        const head = `cluster ${status.clusterId}, epoch ${status.epoch}, ${status.indexes} indexes, replication factor ${status.replicationFactor}`;
        const lines = [
          `${output.tint(healthy ? 'green' : 'yellow', health.verdict)}: ${head}`,
          ...health.reasons.map((reason) => `  - ${reason}`),
          '',
          ...formatNodes(status.nodes),
          '',
          ...formatTable(
            ['PROXY', 'URL', 'EPOCH', 'LEASE'],
            status.leases.map((lease) => [
              lease.proxyId,
              lease.url,
              lease.epoch,
              lease.validForMs > 0 ? 'valid' : 'expired',
            ]),
          ),
        ];
        if (status.change !== null) {
          lines.push('', `last change: ${describeChange(status.change, status.change)}`);
          if (status.change.reason !== null) lines.push(`  ${status.change.reason}`);
        }
        output.result(lines, status);
        return healthy ? EXIT.done : EXIT.degraded;
      }),
    );
}

export function formatNodes(nodes: readonly NodeView[]): string[] {
  return formatTable(
    ['NODE', 'STATE', 'HEALTH', 'URL', 'ZONE', 'REPLICAS', 'LAG', 'REPORTED'],
    nodes.map((node) => [
      node.id,
      node.reachable ? node.state : `${node.state} (does not answer)`,
      node.health?.state ?? null,
      node.url,
      node.zone,
      formatCounts(node.replicas),
      node.stream?.lag ?? null,
      node.stream === null ? null : `${formatAge(node.stream.silentMs)} ago`,
    ]),
  );
}
