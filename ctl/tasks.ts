// `task show`.
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from './exit.js';
import { formatTable } from './output.js';
import type { Runner } from './program.js';
import type { TaskView } from './views.js';

export function addTaskCommands(program: Command, run: Runner): void {
  const task = program.command('task').description('Shows tasks.');
  task
    .command('show')
    .description('Shows a task, and which nodes have confirmed it.')
    .argument('<uid>', 'number of the task', parseTaskUid)
    .action(
      run(async ({ api, output }, uid: number) => {
        const view = await api.get<TaskView>(`/tasks/${uid}`);
        const lines = [
          `task ${view.uid}: ${view.type} on ${view.indexUid ?? 'no index'}, ${view.status}`,
          `  enqueued ${view.enqueuedAt}, finished ${view.finishedAt ?? '-'}, duration ${view.duration ?? '-'}`,
        ];
        if (view.details) lines.push(`  details ${JSON.stringify(view.details)}`);
        if (view.error) lines.push(`  ${view.error.code}: ${view.error.message}`);
        lines.push(
          '',
          ...formatTable(
            ['NODE', 'POSITION', 'CONFIRMED', 'LAST ERROR'],
            view.delivery.map((row) => [row.node, row.position, row.confirmed ? 'yes' : 'no', row.lastError]),
          ),
        );
        output.result(lines, view);
        return view.status === 'failed' ? EXIT.failed : EXIT.done;
      }),
    );
}

function parseTaskUid(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected the number of a task');
  return Number(text);
}
