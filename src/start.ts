import { commandArguments } from './inputs/command-line.js';
import { run } from './setup.js';

/** A step of a workflow has no arguments, and does not load the commands. */
export async function start(): Promise<void> {
  if (commandArguments().length === 0) {
    await run();
  } else {
    const { main } = await import('./commands/main.js');
    await main();
  }
}
