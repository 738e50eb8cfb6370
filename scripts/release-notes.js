// Prints what CHANGELOG.md says of one version: node scripts/release-notes.js 1.2.3. Fails if it says nothing, or if the
// version is not dated yet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [version = ''] = process.argv.slice(2);
const changeLog = readFileSync(join(import.meta.dirname, '..', 'CHANGELOG.md'), 'utf8');
const section = changeLog.split(/^## /m).find((text) => text.startsWith(`[${version}] - `));
const [heading = '', ...lines] = section?.split('\n') ?? [];

if (!/ - \d{4}-\d{2}-\d{2}$/.test(heading)) {
  console.error(`CHANGELOG.md has no section "## [${version}] - <year>-<month>-<day>".`);
  process.exitCode = 1;
} else {
  console.log(lines.join('\n').trim());
}
