import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const bundle = readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8');

const ROOT = join(import.meta.dirname, '..', '..');
const BUILTIN = /getBuiltinModule\(/g;

/** How often the files themselves load a module of Node by name. */
const countBuiltins = (pattern: string): number =>
  globSync(pattern, { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8').match(BUILTIN)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0);

// Not toContain(): a failure would print the whole bundle.
test('dist has no HTTP client but the one in src/transfer', () => {
  const ours = countBuiltins('src/transfer/*.ts');
  expect(bundle.includes('createServer')).toBe(false);
  expect(bundle.includes('undici')).toBe(false);
  expect(ours).toBeGreaterThan(0);
  expect(bundle.match(BUILTIN)).toHaveLength(ours + countBuiltins('src/install/*.ts'));
  expect(bundle).not.toMatch(/from "node:https?"/);
});

test('dist starts processes in src/install/bounded-process.ts alone', () => {
  expect(countBuiltins('src/install/*.ts')).toBe(1);
  expect(bundle.match(/getBuiltinModule\('node:child_process'\)/g)).toHaveLength(1);
  // commander imports it for commands that are programs of their own. Only its own file does, and there are none.
  const [, id = 'none'] =
    /\/\*\*\*\/ (\d+):\n[^\n]*\n\nmodule\.exports = [^\n]*\("node:child_process"\);/.exec(bundle) ??
    [];
  expect(id).toMatch(/^\d+$/);
  expect(bundle.match(/node:child_process/g)).toHaveLength(2);
  expect(bundle).not.toContain(`__webpack_require__(${id})`);
  for (const file of globSync('src/commands/*.ts', { cwd: ROOT })) {
    expect(readFileSync(join(ROOT, file), 'utf8')).not.toMatch(/\.command\(|executableFile/);
  }
  // @actions/tool-cache imports it as well, and uses it for nothing that is in dist.
  expect(bundle.match(/external_child_process_namespaceObject/g)).toHaveLength(1);
  expect(bundle.match(/\bspawn\(/g)).toEqual(['spawn(']);
});
