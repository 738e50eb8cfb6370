// A jest reporter: prints the table of what the tests counted with `tally()`.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default class TallyReporter {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'tally-'));
    process.env['SETUP_VERIFIED_KUBECTL_TALLY'] = this.folder;
  }

  onRunComplete() {
    const rows = [...this.sums()].sort(([a], [b]) => a.localeCompare(b));
    rmSync(this.folder, { recursive: true });
    if (rows.length > 0) {
      const width = Math.max(...rows.map(([name]) => name.length));
      const lines = rows.map(([name, count]) => `| ${name.padEnd(width)} | ${pad(count)} |`);
      const head = `| ${'What was shown'.padEnd(width)} |  number |`;
      console.log(['', head, `|${'-'.repeat(width + 2)}|--------:|`, ...lines, ''].join('\n'));
    }
  }

  /** @returns {Map<string, number>} */
  sums() {
    /** @type {Map<string, number>} */
    const sums = new Map();
    for (const file of readdirSync(this.folder)) {
      for (const line of readFileSync(join(this.folder, file), 'utf8').trim().split('\n')) {
        const [name = '', count = '0'] = line.split('\t');
        sums.set(name, (sums.get(name) ?? 0) + Number(count));
      }
    }
    return sums;
  }
}

/** @param {number} count */
const pad = (count) => String(count).padStart(7);
