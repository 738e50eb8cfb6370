import { setFlagsFromString } from 'node:v8';

// Keeps the young generation of the heap small, so that network buffers are freed early: otherwise
// tens of megabytes of them pile up. Loading the modules would make it grow, so this comes first.
setFlagsFromString('--semi-space-growth-factor=1');

const { start } = await import(/* webpackMode: "eager" */ './start.js');
await start();
