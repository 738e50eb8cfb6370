// The action in this folder: the command `lock`, with a workflow's inputs and annotations.
process.argv.push('--lock-action');
await import(new URL('../dist/index.js', import.meta.url).href);
