#!/usr/bin/env node
// `miroir-ctl`.
import { runCtl } from './program.js';

process.exitCode = await runCtl(process.argv.slice(2), process);
