// `npm start`: installs and builds what is missing, then starts the fleet and gives the tour. Plain JavaScript, no
// packages: it runs on a fresh clone.
import { prepare, run } from './prepare.mjs';

await prepare();
process.exitCode = await run(
  process.execPath,
  ['dist/up/main.js', 'up', '--tour', ...process.argv.slice(2)],
  {
    forwardSignals: true,
  },
);
