// The Node that action.yml names is a development dependency, and npm puts it first on the path.
if (!process.version.startsWith('v24.')) {
  throw new Error(
    `The tests run on Node 24, this is ${process.version}: use \`npm test\`, after \`npm ci\`.`,
  );
}

/** @type {import('jest').Config} */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '\\.ts$': ['ts-jest', { useESM: true }] },
};

/** @type {import('jest').Config} */
export default {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/__tests__/unit/**/*.test.ts'],
      setupFiles: ['<rootDir>/__tests__/unit/realm.ts'],
      setupFilesAfterEnv: ['<rootDir>/__tests__/timeout.ts'],
    },
    {
      ...shared,
      displayName: 'e2e',
      globalSetup: '<rootDir>/scripts/assert-fresh-dist.js',
      testMatch: ['<rootDir>/__tests__/e2e/**/*.test.ts'],
      setupFilesAfterEnv: ['<rootDir>/__tests__/timeout.ts'],
    },
  ],
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/scripts/tally-reporter.js'],
  coverageDirectory: 'coverage',
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
};
