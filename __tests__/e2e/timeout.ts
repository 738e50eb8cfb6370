// Jest reads `testTimeout` for all projects or for none, and the unit tests should stay quick.
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
