import { setFlagsFromString } from 'node:v8';

// The young generation of the heap stays as small as it begins, so that it is often swept: else the
// buffers of what has arrived from the network wait for that, tens of megabytes of them. Loading
// the rest would make it grow, so this comes first.
setFlagsFromString('--semi-space-growth-factor=1');

const { run } = await import(/* webpackMode: "eager" */ './setup.js');
await run();
