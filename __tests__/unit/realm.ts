// Jest runs tests in a realm of its own, and what Node's own modules throw is an Error of another
// realm. Outside of jest there is only one: so let `instanceof Error` mean here what it means there.
import { types } from 'node:util';

Object.defineProperty(Error, Symbol.hasInstance, {
  value: function (this: unknown, value: unknown): boolean {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- Error.isError is not in ES2024
    return this === Error && types.isNativeError(value)
      ? true
      : Function.prototype[Symbol.hasInstance].call(this as () => void, value);
  },
});
