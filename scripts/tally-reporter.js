// A jest reporter: prints the table of what the tests counted with `tally()`, and why tests were skipped.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/**
 * What `canRun()` in __tests__/support/skip.ts writes.
 *
 * @typedef {{ testPath: string, reason: string }} Skip
 */

/**
 * What the reporter reads of jest's result of one file.
 *
 * @typedef {{ testFilePath: string, numPendingTests: number }} FileResult
 */

export default class TallyReporter {
  /** @param {{ rootDir: string, testNamePattern?: string }} globalConfig */
  constructor({ rootDir, testNamePattern }) {
    this.rootDir = rootDir;
    /** Jest counts the tests that `-t` leaves out as skipped, too. */
    this.isFiltered = (testNamePattern ?? '') !== '';
    this.folder = mkdtempSync(join(tmpdir(), 'tally-'));
    process.env['SETUP_VERIFIED_KUBECTL_TALLY'] = this.folder;
  }

  /**
   * @param {unknown} _contexts
   * @param {{ testResults: FileResult[] }} results
   */
  onRunComplete(_contexts, { testResults }) {
    const rows = [...this.sums()].sort(([a], [b]) => a.localeCompare(b));
    const skips = this.skips(testResults);
    rmSync(this.folder, { recursive: true });
    if (rows.length > 0) {
      const width = Math.max(...rows.map(([name]) => name.length));
      const lines = rows.map(([name, count]) => `| ${name.padEnd(width)} | ${pad(count)} |`);
      const head = `| ${'What was shown'.padEnd(width)} |  number |`;
      console.log(['', head, `|${'-'.repeat(width + 2)}|--------:|`, ...lines, ''].join('\n'));
    }
    if (skips.length > 0) console.log(['', 'Skipped:', ...skips, ''].join('\n'));
  }

  /** @returns {Map<string, number>} */
  sums() {
    /** @type {Map<string, number>} */
    const sums = new Map();
    for (const line of this.lines('.tsv')) {
      const [name = '', count = '0'] = line.split('\t');
      sums.set(name, (sums.get(name) ?? 0) + Number(count));
    }
    return sums;
  }

  /**
   * A line for each file with skipped tests, or with tests that it did not define on this machine.
   *
   * @param {FileResult[]} testResults
   * @returns {string[]}
   */
  skips(testResults) {
    /** @type {Skip[]} */
    const skips = JSON.parse(`[${this.lines('.jsonl').join(',')}]`);
    return testResults
      .map(({ testFilePath, numPendingTests }) => {
        const own = skips.filter(({ testPath }) => testPath === testFilePath);
        const reasons = [...new Set(own.map(({ reason }) => reason))].join('; ');
        const file = relative(this.rootDir, testFilePath).replaceAll('\\', '/');
        if (reasons !== '') return `  ${file} (${numPendingTests}): ${reasons}`;
        if (numPendingTests === 0 || this.isFiltered) return '';
        return `  ${file} (${numPendingTests}): no reason given; use __tests__/support/skip.ts`;
      })
      .filter((line) => line !== '')
      .sort();
  }

  /**
   * @param {string} ending of the files' names
   * @returns {string[]}
   */
  lines(ending) {
    return readdirSync(this.folder)
      .filter((file) => file.endsWith(ending))
      .flatMap((file) => readFileSync(join(this.folder, file), 'utf8').trim().split('\n'));
  }
}

/** @param {number} count */
const pad = (count) => String(count).padStart(7);
