import type { ErrorCode, SetupError, Situation } from './errors.js';

/**
 * What to do about a failure, by code. docs/troubleshooting.md shows this table.
 *
 * The layers below say what happened. Only here is it said in the words of the user's workflow: which
 * input to look at, what Kubernetes does, whom to tell.
 */
export const HINTS: Readonly<Record<ErrorCode, string>> = {
  INVALID_INPUT: 'Correct the value in the workflow. The README describes every input.',
  VERSION_NOT_FOUND:
    'See https://kubernetes.io/releases/ for the versions that exist. A version that was announced minutes ago may not be on every server yet.',
  PLATFORM_NOT_PUBLISHED: 'Set "architecture", or run the job on one of the platforms listed.',
  RELEASE_NOT_SIGNED:
    'Kubernetes signs its releases since v1.26.0 (and the last patches of 1.22 to 1.25). Choose a signed release. With "download-base-url", check that the mirror has the .sig and .cert files too.',
  DOWNLOAD_FAILED:
    'Check that the runner can reach the host (proxy, firewall, "download-base-url", "download-token"), or run the job again: the host may be down for a moment.',
  SIGNATURE_MALFORMED:
    'The publication is damaged, or a proxy or mirror answered with something else. Open the URL of the file to see what it serves.',
  SIGNATURE_MISMATCH:
    'The file is damaged or was replaced, or it was published with the signature of another file. Do not use it. Run the job again; if the error persists, report it at https://github.com/kubernetes/release/issues.',
  CERTIFICATE_UNTRUSTED:
    'Sigstore did not issue this certificate in the way it issues them. Do not use the file. If you run your own Sigstore instance, set "trusted-root", or "tuf-mirror-url" and "tuf-root".',
  IDENTITY_MISMATCH:
    'Somebody else signed this file. Do not use it. If you build your own releases, set "certificate-identity" and "certificate-oidc-issuer" to who signs them.',
  LOG_ENTRY_NOT_FOUND:
    'Kubernetes logs every signature publicly, and this one was not logged. Do not use the file. If you run your own Sigstore instance, check "rekor-url".',
  LOG_ENTRY_INVALID:
    'Do not use the file. If you run your own Sigstore instance, check that "rekor-url" belongs to the trust root. Otherwise report this: somebody may be tampering with the log or with the connection to it.',
  LOG_UNAVAILABLE:
    'See https://status.sigstore.dev, and run the job again. A version that is in the tool cache does not need the log.',
  TRUST_ROOT_UNAVAILABLE:
    'Check that the runner can reach the TUF repository, and that "tuf-mirror-url" and "tuf-root" belong together. Without a network, set "trusted-root" to a file, or to "embedded".',
  RELEASE_MISMATCH:
    'Kubernetes signed these bytes, but they are not what you asked for. Do not use them: a mirror, a CDN or somebody in between serves another file under this name.',
  CHECKSUM_MISMATCH:
    'Kubernetes signed this file, but it is not the one that "checksum" names. If you changed the version, change the checksum too.',
  RELEASE_TOO_NEW: 'Choose an older version, or run the job again later.',
  RELEASE_TOO_OLD:
    'Choose a newer version. If you asked for the newest one, compare with https://kubernetes.io/releases/: a mirror, a CDN or somebody in between may be holding its pointer (such as stable.txt) back.',
  VERSION_SKEW:
    'Set "version" to the minor of the cluster, or set neither "version" nor "version-file". If the cluster has another version, correct "cluster-version".',
  INSTALL_FAILED:
    'Check the free space and the permissions of RUNNER_TEMP and RUNNER_TOOL_CACHE on this runner.',
};

/** What to do where the code alone says too little. */
const SITUATIONS: Readonly<Record<Situation, string>> = {
  'pointer-not-a-version':
    'The release host, a mirror or something in between answered with something else. Pin an exact version, or check "download-base-url".',
  'range-without-release':
    'Widen the range. A range does not find pre-releases: ask for "prerelease" or for an exact version.',
  'announced-only':
    'The release is probably minutes old and has not reached every server of the release host, or your mirror has not copied it yet. Run the job again later, or pin an exact version until then.',
  'contradictory-sbom':
    'Do not use the file. The release process contradicts itself, or somebody with its key signed another SBOM. Report it at https://github.com/kubernetes/release/issues.',
  'operating-system-not-published': 'Run the job on Linux, macOS or Windows.',
  'no-release-proof':
    'To accept bytes that Kubernetes signed for an unknown release and platform, set "bind-release: false".',
  'not-a-blob-bundle':
    'The bundle must be one for a blob, as "cosign sign-blob --bundle" writes it. Attestations and plain keys are not accepted.',
  'trusted-root-file': 'Set "trusted-root" to the path of a trusted_root.json.',
  'embedded-trusted-root': 'This is a bug in the action. Please report it.',
  'runner-variable-missing':
    'The runner sets it for every action. To try the action by hand, see "npm run action" in CONTRIBUTING.md.',
};

/** For an error that nobody expected. */
export const UNEXPECTED_HINT =
  'This is a bug in the action. Please report it with the log of this run.';

/** What to do next, for the annotation and the job summary. */
export function hintFor({ code, situation }: SetupError): string {
  return situation === undefined ? HINTS[code] : SITUATIONS[situation];
}
