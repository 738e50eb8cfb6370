#!/usr/bin/env node
// The command line. The code in dist/ needs the Node.js of package.json's `engines`. This file is written so that any
// Node.js that knows modules can read it, and say so.
const MAJOR = 24;
const MINOR = 15;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > MAJOR || (major === MAJOR && minor >= MINOR)) {
  // Without arguments, dist/index.js would take itself for a step of a workflow.
  if (process.argv.length === 2) process.argv.push('--help');
  void import(new URL('../dist/index.js', import.meta.url).href);
} else {
  console.error(
    `error: setup-verified-kubectl needs Node.js ${MAJOR}.${MINOR} or newer, and this is ${process.version}\n` +
      'hint: Install it from https://nodejs.org, or with your version manager.',
  );
  process.exitCode = 1;
}
