// The workflow bundle: built once after compiling, so that a worker starts in under a second. Run as a program it
// writes the bundle beside the compiled workflows.
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkerOptions } from '@temporalio/worker';

const BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
const WORKFLOWS = fileURLToPath(new URL('../workflows/index.js', import.meta.url));

/**
 * How long one step of workflow code may take. The SDK's own limit of 5 s is met by a process that gets no processor for as
 * long, and breaking off there can end it ("async hook stack has become corrupted"). Not among the SDK's typed options.
 */
export const WORKFLOW_CODE_LIMIT = { isolateExecutionTimeout: '60s' };

/** The prebuilt bundle where there is one, else the workflows themselves, bundled at start. */
export function loadWorkflows(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  return existsSync(BUNDLE) ? { workflowBundle: { codePath: BUNDLE } } : { workflowsPath: WORKFLOWS };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: new DefaultLogger('WARN') });
  writeFileSync(BUNDLE, code);
}
