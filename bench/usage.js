// For `node --import`: when the process ends, writes what it used to the file that BENCH_USAGE names.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const STATUS = '/proc/self/status';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpu = (userCPUTime + systemCPUTime) / 1000;
  writeFileSync(process.env['BENCH_USAGE'] ?? '', JSON.stringify({ cpu, memory: peakMemory() }));
});

/** In MiB. Linux counts the parent's memory into maxRSS, and VmHWM only the process's own. */
function peakMemory() {
  const status = existsSync(STATUS) ? readFileSync(STATUS, 'utf8') : '';
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return (kibibytes === undefined ? process.resourceUsage().maxRSS : Number(kibibytes)) / 1024;
}
