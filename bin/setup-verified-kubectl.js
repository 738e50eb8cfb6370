#!/usr/bin/env node
// The command line. Without arguments, dist/index.js would take itself for a step of a workflow.
if (process.argv.length === 2) process.argv.push('--help');
await import(new URL('../dist/index.js', import.meta.url).href);
