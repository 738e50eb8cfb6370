import { setFlagsFromString } from 'node:v8';
import { run } from './main.js';

// The young generation of the heap stays as small as it begins, so that it is often swept: else the
// buffers of what has arrived from the network wait for that, tens of megabytes of them.
setFlagsFromString('--semi-space-growth-factor=1');

await run();
