import { createRequire } from 'node:module';
import type * as WorkflowParser from '@actions/workflow-parser';
import type { parseAction } from '@actions/workflow-parser/actions/action-parser';
import { buildSync } from 'esbuild';
import { ROOT } from './repository.js';

type Parser = typeof WorkflowParser & { readonly parseAction: typeof parseAction };

type Evaluate = (module: { exports: unknown }, require: NodeJS.Require) => void;

const parser = loadParser();

/** What GitHub's own schema says against a workflow; nothing for a good one. */
export function workflowErrors(name: string, content: string): string[] {
  const { context } = parser.parseWorkflow({ name, content }, new parser.NoOperationTraceWriter());
  return context.errors.getErrors().map(({ message }) => message);
}

/** What GitHub's own schema says against an action.yml; nothing for a good one. */
export function actionErrors(name: string, content: string): string[] {
  const { context } = parser.parseAction({ name, content }, new parser.NoOperationTraceWriter());
  return context.errors.getErrors().map(({ message }) => message);
}

/** The package is written for bundlers: neither Node nor jest can load it as it is. */
function loadParser(): Parser {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `export * from '@actions/workflow-parser';
        export * from '@actions/workflow-parser/actions/action-parser';`,
      resolveDir: ROOT,
    },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    write: false,
  });
  const module = { exports: {} };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what was bundled a moment ago, from what npm ci installed
  const evaluate = new Function('module', 'require', outputFiles[0]?.text ?? '') as Evaluate;
  evaluate(module, createRequire(import.meta.url));
  return module.exports as Parser;
}
