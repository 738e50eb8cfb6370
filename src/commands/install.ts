import path from 'node:path';
import type { Inputs, InstallInputs } from '../inputs.js';
import { assertUnchanged } from '../install/commit.js';
import type { Logger } from '../install/logger.js';
import { assertCanPlace, placeAll, type PlacedFile } from '../install/target-folder.js';
import { binaryFileName } from '../kubernetes/binary.js';
import { sectionsOf, type ReportItem } from '../report.js';
import { noticeIgnoredFile, withScratchFolder } from '../session.js';
import { setUp } from '../setup.js';

/**
 * Does what a run of the action does, and then puts the verified files into a folder. Nothing is
 * written to the folder unless every check passed.
 *
 * @returns every file, in the order of `tools` and `artifacts`
 * @throws {SetupError} as a run; INSTALL_FAILED for a folder that cannot be used
 */
export async function install(inputs: InstallInputs, logger: Logger): Promise<PlacedFile[]> {
  const { folder } = inputs;
  const placed: PlacedFile[] = [];
  noticeIgnoredFile(inputs, logger);
  await assertCanPlace(folder, fileNames(inputs));
  await withScratchFolder(inputs.runner.temp, (scratch) =>
    setUp(inputsOfRun(inputs, scratch), logger, scratch, async (results, durations) => {
      const sections = sectionsOf(inputs, results, durations);
      for (const item of sections.flatMap(({ items }) => items)) {
        log(item, inputs, logger);
      }
      await assertUnchanged(results.files);
      placed.push(...(await placeAll(folder, results.files)));
    }),
  );
  return placed;
}

function fileNames({ tools, platform, artifacts }: InstallInputs): string[] {
  return [
    ...tools.map((tool) => binaryFileName(tool, platform)),
    ...artifacts.map(({ name }) => name),
  ];
}

/** Everything temporary is in the scratch folder, and without a cache, everything else, too. */
function inputsOfRun({ useCache, ...inputs }: InstallInputs, scratch: string): Inputs {
  const { toolCache, path: onPath } = inputs.runner;
  return {
    ...inputs,
    runner: {
      ...inputs.runner,
      temp: scratch,
      toolCache: useCache ? toolCache : path.join(scratch, 'tool-cache'),
    },
    // Tool caches of other actions are searched by a library that writes to standard output.
    searchPaths: { toolCache: undefined, path: useCache ? onPath : [] },
  };
}

/** What was proven, as a run logs it; and where the copy in the tool cache is, if that stays. */
function log({ title, log, paths }: ReportItem, { useCache }: InstallInputs, logger: Logger): void {
  for (const line of [title, ...log]) {
    logger.info(line);
  }
  for (const line of useCache ? paths : []) {
    logger.debug(line);
  }
}
