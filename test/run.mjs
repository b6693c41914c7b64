// `npm test`: on a fresh clone too, everything in one go; the last line counts. `--full` adds the long suites.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare, run } from '../prepare.mjs';

/** In this order: what fails fastest comes first. */
const PROJECTS = ['unit', 'postgres', 'node', 'workflow', 'e2e', 'chaos'];
const NEED_TEMPORAL = ['workflow', 'e2e', 'chaos'];
const bin = (name) => join('node_modules', '.bin', name);

await prepare();
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

await step('types', bin('tsc'), ['--noEmit']);
await step('lint', bin('biome'), ['check']);
// `prepare` has just built what tests run as processes.
const env = {
  ...process.env,
  MIROIR_TEST_SKIP_BUILD: '1',
  MIROIR_TEST_FULL: process.argv.includes('--full') ? '1' : '',
};
const withTemporal = process.env.MIROIR_SKIP_TEMPORAL !== '1' && (await findTemporal());
for (const project of PROJECTS)
  if (withTemporal || !NEED_TEMPORAL.includes(project)) await runProject(project);

console.log('');
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;

async function step(name, command, args) {
  console.log(`\n== ${name}`);
  const code = await run(command, args);
  count(code === 0, name);
}

/** Fetches the Temporal server once, before tests wait for it, and tells the tests where it is. */
async function findTemporal() {
  const { resolveTemporal } = await import('../dist/shared/io/temporal-binary.js');
  try {
    const choice = await resolveTemporal({ progress: (line) => console.log(line) });
    if (choice.kind === 'binary') env.MIROIR_TEMPORAL_BIN = choice.path;
    return true;
  } catch (error) {
    console.log(error.message);
    count(false, 'no Temporal server (set MIROIR_SKIP_TEMPORAL=1 to run without the tests that need one)');
    return false;
  }
}

async function runProject(project) {
  console.log(`\n== ${project}`);
  const folder = mkdtempSync(join(tmpdir(), 'miroir-test-'));
  const file = join(folder, 'result.json');
  const args = ['run', '--project', project, '--passWithNoTests', '--reporter=default', '--reporter=json'];
  try {
    const code = await run(bin('vitest'), [...args, `--outputFile.json=${file}`], { env });
    const result = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed += result.numPassedTests;
    counts.failed += result.numFailedTests;
    counts.skipped += result.numPendingTests + result.numTodoTests;
    for (const suite of result.testResults) {
      for (const test of suite.assertionResults) {
        if (test.status === 'failed') failures.push(`${project}: ${test.fullName}`);
      }
    }
    // A file that cannot be loaded, or an error outside a test, fails no test by itself.
    if (code !== 0 && result.numFailedTests === 0) count(false, `${project}: the run ended with ${code}`);
  } catch (error) {
    count(false, `${project}: no result (${error.message})`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(passed, name) {
  counts[passed ? 'passed' : 'failed'] += 1;
  if (!passed) failures.push(name);
}
