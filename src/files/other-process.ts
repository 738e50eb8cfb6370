import { codeOf } from '../errors.js';

/**
 * Whether another process with this number is running. In a container, every process may have the
 * number of this one, which has left nothing behind yet.
 */
export function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) {
    return false;
  }
  try {
    return process.kill(pid, 0); // Sends nothing.
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}
