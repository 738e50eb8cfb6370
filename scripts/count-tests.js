// Prints `N passed, N failed, N skipped` for a report that `jest --json --outputFile` wrote:
// node scripts/count-tests.js <report>. Fails if a test failed, or if none passed.
import { readFileSync } from 'node:fs';

const [path = ''] = process.argv.slice(2);
/**
 * A suite that could not even start counts as one failed test; jest lists it apart.
 *
 * @type {Record<'numPassedTests' | 'numFailedTests' | 'numPendingTests' | 'numTodoTests' | 'numRuntimeErrorTestSuites', number>}
 */
const report = JSON.parse(readFileSync(path, 'utf8'));
const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
const skipped = report.numPendingTests + report.numTodoTests;

console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1;
