/** The version of a cluster, as its API server reports it. */
export interface ClusterVersion {
  /** As reported, for messages: `v1.33.4-eks-1a2b3c`. Printable ASCII without white space. */
  readonly text: string;
  /** 33 of `v1.33.4-eks-1a2b3c`. The major version is always 1. */
  readonly minor: number;
}

export const ACCEPTED_CLUSTER_VERSIONS =
  'the Kubernetes version of a cluster as its API server reports it (1.33, v1.33.4, v1.33.4-eks-1a2b3c, v1.33.1+k3s1), or the output of "kubectl version -o json", including the server version; for OpenShift, this is the Kubernetes version, not the OpenShift version (4.x)';

/** The JSON of `kubectl version` has about 1 KiB. */
const MAX_LENGTH = 65_536;

/**
 * A version, and whatever a distribution adds to it: `-eks-1a2b3c`, `+k3s1`, `-gke.1013000`,
 * `-34+40f5951bd9888a`, or the `+` of a minor that has moved on.
 */
const REPORTED =
  /^v?1\.(?<minor>0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,3}))?(?:[-+][\w.+~-]{0,100})?$/i;

/**
 * @param text a version; or the JSON of `kubectl version -o json`, of `oc version -o json`, or of
 *   the API server's `/version`
 * @returns undefined for text that is none of these
 */
export function parseClusterVersion(text: string): ClusterVersion | undefined {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH) {
    return undefined;
  }
  return trimmed.startsWith('{') ? parseJson(trimmed) : parseReported(trimmed);
}

function parseReported(text: string): ClusterVersion | undefined {
  const minor = REPORTED.exec(text)?.groups?.['minor'];
  return minor === undefined ? undefined : { text, minor: Number(minor) };
}

/** Kubernetes, apimachinery/pkg/version: type Info; kubectl wraps it in `serverVersion`. */
function parseJson(text: string): ClusterVersion | undefined {
  const output = parseObject(text);
  // The client's version, which is there as well, says nothing about the cluster.
  const info = 'serverVersion' in output ? output['serverVersion'] : output;
  if (typeof info !== 'object' || info === null) {
    return undefined;
  }
  const { gitVersion, major, minor } = info as Record<string, unknown>;
  // Some distributions leave the numbers empty. kubectl, too, compares git versions.
  return (
    (typeof gitVersion === 'string' ? parseReported(gitVersion) : undefined) ??
    (typeof major === 'string' && typeof minor === 'string'
      ? parseReported(`${major}.${minor}`)
      : undefined)
  );
}

/** Empty for text that is no JSON object. */
function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {}; // It names no version.
  }
}
