import { setFlagsFromString } from 'node:v8';
import { commandArguments } from './inputs/command-line.js';

// The young generation of the heap stays as small as it begins, so that it is often swept: else the
// buffers of what has arrived from the network wait for that, tens of megabytes of them. Loading
// the rest would make it grow, so this comes first.
setFlagsFromString('--semi-space-growth-factor=1');

if (commandArguments().length === 0) {
  const { run } = await import(/* webpackMode: "eager" */ './setup.js');
  await run();
} else {
  // A file of its own, which a step of a workflow does not load.
  const { main } = await import('./commands/main.js');
  await main();
}
