import { main } from './commands/main.js';
import { commandArguments } from './inputs/command-line.js';
import { run } from './setup.js';

/** A step of a workflow has no arguments. */
export async function start(): Promise<void> {
  await (commandArguments().length === 0 ? run() : main());
}
