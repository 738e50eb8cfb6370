import { copyFile } from 'node:fs/promises';
import { explain } from '../errors.js';
import { digestFile } from '../files/digested-file.js';
import type { Binary } from '../kubernetes/binary.js';
import type { InstallContext } from './context.js';
import { makeFolder, publishedDigest, verifyPublished } from './from-download.js';
import { preinstalledCopies } from './preinstalled.js';
import type { VerifiedArtifact } from './verified-artifact.js';

/**
 * A copy that somebody else left on this machine, if it is the published file. It is verified as
 * strictly as a download; it only saves the transfer.
 *
 * @returns undefined where there is none, or where the one that is there does not pass
 */
export async function fromPreinstalled(
  context: InstallContext,
  artifact: Binary,
): Promise<VerifiedArtifact | undefined> {
  const copies = await preinstalledCopies(context.searchPaths, artifact);
  if (copies.length === 0) {
    return undefined;
  }
  const expected = context.lock?.digestOf(artifact) ?? (await publishedDigest(context, artifact));
  for (const copy of expected === undefined ? [] : copies) {
    try {
      const { sha256 } = await digestFile(copy, artifact.maxBytes);
      if (sha256.toString('hex') === expected) {
        return await verifyCopy(context, artifact, copy);
      }
    } catch (error) {
      if (context.http.signal.aborted) {
        throw error;
      }
      context.logger.info(`${copy} was skipped: ${explain(error)}`);
    }
  }
  return undefined;
}

async function verifyCopy(
  context: InstallContext,
  artifact: Binary,
  copy: string,
): Promise<VerifiedArtifact> {
  const { folder, file } = await makeFolder(context, artifact);
  await copyFile(copy, file);
  const digested = digestFile(file, artifact.maxBytes);
  return verifyPublished(context, artifact, 'preinstalled', folder, digested);
}
