#!/usr/bin/env node
// `miroir-ctl`.
import { runCtl } from './program.js';

// Whoever reads the output may stop early, as `head` does: no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await runCtl(process.argv.slice(2), process);
