import { setFlagsFromString } from 'node:v8';
import { commandArguments } from './inputs/command-line.js';

// Keeps the young generation of the heap small, so that network buffers are freed early: otherwise
// tens of megabytes of them pile up. Loading the modules would make it grow, so this comes first.
setFlagsFromString('--semi-space-growth-factor=1');

if (commandArguments().length === 0) {
  const { run } = await import(/* webpackMode: "eager" */ './setup.js');
  await run();
} else {
  // A file of its own, which a step of a workflow does not load.
  const { main } = await import('./commands/main.js');
  await main();
}
