// For `node --import ./scripts/typescript.js <script>.ts`. Node strips types by itself; this lets it find
// `./x.ts` where an import says `./x.js`, as TypeScript does.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    const source = specifier.replace(/\.js$/, '.ts');
    const isSource = /^\.{1,2}\//.test(specifier) && existsSync(new URL(source, context.parentURL));
    return nextResolve(isSource ? source : specifier, context);
  },
});
