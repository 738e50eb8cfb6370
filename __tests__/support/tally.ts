import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the summary table at the end of `npm test` counts. */
export type Tallied =
  | 'attacks refused or without effect'
  | 'faults survived'
  | 'faults refused with a named cause'
  | 'kills survived'
  | 'concurrent installs'
  | 'disk failures named'
  | 'fuzz cases'
  | 'changed bytes refused'
  | 'changed bytes of a mirror refused or without effect'
  | 'wrong fields of a lock refused';

/** Counts for the summary table; to be called when the thing has been shown, not before. */
export function tally(what: Tallied, count = 1): void {
  const folder = process.env['SETUP_VERIFIED_KUBECTL_TALLY'];
  if (folder !== undefined) {
    appendFileSync(join(folder, `${process.pid}.tsv`), `${what}\t${count}\n`);
  }
}
