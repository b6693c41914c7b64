// Installs packages and compiles when that is needed. Plain JavaScript, no packages: it runs on a fresh clone.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const SOURCES = ['shared', 'workflows', 'activities', 'worker', 'proxy', 'ctl', 'engine', 'up', 'bench'];

/** Installs when the lock file is newer than the last install; compiles when a source is newer than the last build. */
export async function prepare() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 3)) {
    console.error(`Miroir needs Node 20.3 or newer; this is ${process.version}.`);
    process.exit(1);
  }
  process.chdir(root);
  if (changedMs('node_modules/.package-lock.json') < changedMs('package-lock.json')) {
    console.log('Installing packages ...');
    await must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  const newest = Math.max(
    changedMs('tsconfig.build.json'),
    changedMs('package.json'),
    ...SOURCES.map(newestMs),
  );
  if (changedMs('dist/.built') < newest) {
    console.log('Compiling ...');
    await must('npm', ['run', '--silent', 'build']);
    writeFileSync('dist/.built', '');
  }
}

/** Runs a command with our terminal; answers its exit code. */
export function run(command, args, { forwardSignals = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    // Detached where signals are forwarded: a Ctrl-C must reach it once.
    const child = spawn(command, args, { stdio: 'inherit', env, cwd: root, detached: forwardSignals });
    if (forwardSignals) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    }
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

async function must(command, args) {
  const code = await run(command, args);
  if (code !== 0) {
    console.error(`\`${command} ${args.join(' ')}\` failed with ${code}.`);
    process.exit(code);
  }
}

function changedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newestMs(folder) {
  let newest = 0;
  if (!existsSync(folder)) return newest;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestMs(path));
    else if (entry.name.endsWith('.ts')) newest = Math.max(newest, changedMs(path));
  }
  return newest;
}
