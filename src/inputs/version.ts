import { SetupError } from '../errors.js';
import {
  ACCEPTED_CLUSTER_VERSIONS,
  parseClusterVersion,
  type ClusterVersion,
} from '../kubernetes/cluster-version.js';
import {
  ACCEPTED_VERSIONS,
  parseVersionRequest,
  type VersionRequest,
} from '../kubernetes/version.js';
import { readVersionFile } from '../kubernetes/version-file.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** Which version to install, and how the user chose it. */
export interface VersionChoice {
  readonly version: VersionRequest;
  /** For the log: what was asked for, and where. */
  readonly versionSource: string;
  /** Set when `version` and `version-file` are both given, and the file is ignored. */
  readonly ignoredVersionFile: string | undefined;
}

export function readClusterVersion(inputs: RawInputs): ClusterVersion | undefined {
  const given = inputs.get('cluster-version');
  if (given === '') {
    return undefined;
  }
  const clusterVersion = parseClusterVersion(given);
  if (clusterVersion === undefined) {
    throw invalidInput('cluster-version', given, ACCEPTED_CLUSTER_VERSIONS);
  }
  return clusterVersion;
}

/** `version`, else `version-file`, else the minor of the cluster, else `stable`. */
export async function readVersion(
  inputs: RawInputs,
  clusterVersion: ClusterVersion | undefined,
): Promise<VersionChoice> {
  const given = inputs.get('version');
  const file = inputs.get('version-file');
  if (given === '' && file !== '') {
    const pinned = readVersionFile(inputs.path('version-file'), file, inputs.workspace);
    const { version, line } = pinned;
    const request = await parseVersionRequest(version);
    if (request === undefined) {
      // The file may hold secrets, so the message repeats nothing of it.
      throw new SetupError(
        'INVALID_INPUT',
        `Input "version-file": line ${String(line)} of ${JSON.stringify(file)} is not a version. Expected ${ACCEPTED_VERSIONS}.`,
      );
    }
    return {
      version: request,
      versionSource: `${version} (${file}, line ${String(line)})`,
      ignoredVersionFile: undefined,
    };
  }
  if (given === '' && clusterVersion !== undefined) {
    const minor = `1.${String(clusterVersion.minor)}`;
    return {
      version: { kind: 'stable', minor },
      versionSource: `${minor} (the minor of cluster-version ${clusterVersion.text})`,
      ignoredVersionFile: undefined,
    };
  }
  const text = given === '' ? 'stable' : given;
  const request = await parseVersionRequest(text);
  if (request === undefined) {
    throw invalidInput('version', text, ACCEPTED_VERSIONS);
  }
  return {
    version: request,
    versionSource: text,
    ignoredVersionFile: file === '' ? undefined : file,
  };
}
