import { currentEnvironment } from '../inputs.js';
import { loadLockInputs } from './inputs.js';
import { namedFailure } from '../install/install-failed.js';
import { Report } from '../report.js';
import { lockRelease } from './lock.js';

/** Runs the action in lock/. A failure is reported, and never thrown. */
export async function runLockAction(): Promise<void> {
  const report = new Report();
  try {
    const inputs = await loadLockInputs(currentEnvironment());
    report.mask(inputs.downloadToken);
    const outcome = await lockRelease(inputs, report);
    await report.lock(inputs.lockFile.name, outcome, inputs.check);
  } catch (error) {
    await report.failure(namedFailure(error), 'The lock file was not written');
  }
}
