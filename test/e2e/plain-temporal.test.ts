// Changes started by the plain Temporal CLI, without anything of ours: wrong input fails at once and says why.
import { spawn } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { resolveTemporal } from '../../shared/io/temporal-binary.js';
import { useCluster } from '../support/cluster.js';

const choice = await resolveTemporal({ env: { ...process.env, TEMPORAL_ADDRESS: '' } }).catch(() => null);
const binary = choice?.kind === 'binary' ? choice.path : null;

describe.skipIf(binary === null)(
  'the plain Temporal CLI (skipped where there is no `temporal` binary)',
  () => {
    const cluster = useCluster({ nodes: 3 });

    /** Runs the CLI against this test's server; answers what it printed. */
    function temporal(...args: string[]): Promise<{ code: number | null; output: string }> {
      return new Promise((resolve, reject) => {
        const child = spawn(binary!, [...args, '--address', cluster().temporalAddress], {
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: 300_000,
        });
        let output = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
        child.once('error', reject);
        child.once('close', (code) => resolve({ code, output }));
      });
    }

    async function startAndWait(input: string, workflowId = `miroir/topology/${cluster().id}`) {
      const started = await temporal(
        ...['workflow', 'start', '--type', 'topologyChange', '--task-queue', cluster().taskQueue],
        ...['--workflow-id', workflowId, '--input', input],
      );
      expect(started).toMatchObject({ code: 0 });
      return temporal('workflow', 'result', '--workflow-id', workflowId);
    }

    beforeAll(async () => {
      const task = await cluster().write('/indexes/kept/documents', { body: [{ id: 1 }, { id: 2 }] });
      expect(task.status).toBe('succeeded');
    });

    it.each([
      ['an unknown kind', '{"kind":"explode"}', /Expected \{"kind":"add"/],
      ['no object', '"rebalance"', /Expected \{"kind":"add"/],
      ['null', 'null', /Expected \{"kind":"add"/],
      ['an unknown field', '{"kind":"rebalance","fast":true}', /fast/],
      [
        'an unknown node',
        '{"kind":"drain","nodes":["node-9"]}',
        /no node `node-9`\. The fleet's nodes are: `node-1`/,
      ],
      ['too few left', '{"kind":"remove","nodes":["node-1","node-2"]}', /1 active node would be left/],
      [
        'a key in the input',
        '{"kind":"add","nodes":[{"id":"n4","url":"http://127.0.0.1:1","key":"x"}]}',
        /key/,
      ],
      ['a silent node', '{"kind":"add","nodes":[{"id":"n4","url":"http://127.0.0.1:9"}]}', /does not answer/],
    ])('fails at once with a readable message: %s', { timeout: 300_000 }, async (_name, input, message) => {
      const result = await startAndWait(input);
      expect(result.code).not.toBe(0);
      expect(result.output).toMatch(message);
      const shown = await temporal('workflow', 'show', '--workflow-id', `miroir/topology/${cluster().id}`);
      expect(shown.output).toMatch(message);
    });

    it('refuses any other workflow id, which would be a second change beside the first', async () => {
      const result = await startAndWait('{"kind":"rebalance"}', `miroir/topology/${cluster().id}-2`);
      expect(result.code).not.toBe(0);
      expect(result.output).toContain(`the workflow id must be "miroir/topology/${cluster().id}"`);
    });

    it('rebalances, and the documents are where they were', { timeout: 300_000 }, async () => {
      const result = await startAndWait('{"kind":"rebalance"}');
      expect(result).toMatchObject({ code: 0 });
      expect(result.output).toContain('COMPLETED');
      expect((await cluster().request('/indexes/kept/documents')).body).toMatchObject({ total: 2 });
      const task = await cluster().write('/indexes/kept/documents', { body: [{ id: 3 }] });
      expect(task.status).toBe('succeeded');
    });
  },
);
