#!/usr/bin/env node
// The command line. The code in dist/ needs the Node.js of package.json's `engines`. This file is written so that any
// Node.js that knows modules can read it, and say so.
import { readFileSync } from 'node:fs';

const MAJOR = 24;
const MINOR = 15;

const args = process.argv.slice(2);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < MAJOR || (major === MAJOR && minor < MINOR)) {
  console.error(
    `error: setup-verified-kubectl needs Node.js ${MAJOR}.${MINOR} or newer, and this is ${process.version}\n` +
      'hint: Install it from https://nodejs.org, or with your version manager.',
  );
  process.exitCode = 1;
} else if (args.length === 1 && /^(?:version|--version|-V)$/.test(args[0] ?? '')) {
  // Behind a command, --version is the version of Kubernetes.
  const file = new URL('../package.json', import.meta.url);
  const { name, version } = JSON.parse(readFileSync(file, 'utf8'));
  console.log(`${name} ${version}`);
} else {
  // Without arguments, dist/index.js would take itself for a step of a workflow.
  if (args.length === 0) process.argv.push('--help');
  void import(new URL('../dist/index.js', import.meta.url).href);
}
