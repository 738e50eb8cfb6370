// Jest reads `testTimeout` for all projects or for none, so this is a file. A test takes as long as
// a busy machine makes it take; only one that hangs is to fail.
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
