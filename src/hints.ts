import type { ErrorCode, SetupError, Situation } from './errors.js';

/**
 * What to do about a failure, by code. docs/troubleshooting.md is generated from this table
 * (`npm run docs`).
 *
 * The layers below report what happened. Only this file speaks to the user: which input to check,
 * what Kubernetes does, where to report a problem. The user may have a workflow or a terminal.
 */
export const HINTS: Readonly<Record<ErrorCode, string>> = {
  INVALID_INPUT:
    'Fix the value. The README describes every input. For a command, "--help" lists the options.',
  VERSION_NOT_FOUND:
    'See https://kubernetes.io/releases/ for the versions that exist. A version that was announced minutes ago may not have reached every server yet.',
  PLATFORM_NOT_PUBLISHED: 'Set "architecture", or run on one of the platforms listed.',
  RELEASE_NOT_SIGNED:
    'Choose a signed release: v1.26.0 or newer, or one of the last patches of 1.22 to 1.25. If "download-base-url" is set, check that the mirror also has the .sig and .cert files.',
  DOWNLOAD_FAILED:
    'Check that this machine can reach the host: proxy, firewall, "download-base-url", "download-token". If it can, the host may be down for a moment: try again.',
  SIGNATURE_MALFORMED:
    'The published file is damaged, or a proxy or mirror served something else in its place. Open its URL to see what is served.',
  SIGNATURE_MISMATCH:
    'Do not use the file: it was damaged or replaced, or published with the signature of another file. Try again. If the error persists, report it at https://github.com/kubernetes/release/issues.',
  CERTIFICATE_UNTRUSTED:
    'Do not use the file: its signing certificate failed verification. If you run your own Sigstore instance, set "trusted-root", or "tuf-mirror-url" and "tuf-root".',
  IDENTITY_MISMATCH:
    'Do not use the file: someone else signed it. If you sign your own releases, set "certificate-identity" and "certificate-oidc-issuer" to the identity that signs them.',
  LOG_ENTRY_NOT_FOUND:
    'Do not use the file: Kubernetes logs every signature publicly, but this one is not in the log. If you run your own Sigstore instance, check "rekor-url".',
  LOG_ENTRY_INVALID:
    'Do not use the file. If you run your own Sigstore instance, check that "rekor-url" belongs to the trust root. Otherwise report this at https://github.com/sigstore/rekor/issues: someone may be tampering with the log or with the connection to it.',
  LOG_UNAVAILABLE:
    'Check https://status.sigstore.dev, and try again. A version that is in the tool cache does not need the log.',
  TRUST_ROOT_UNAVAILABLE:
    'Check that this machine can reach the TUF repository, and that "tuf-mirror-url" and "tuf-root" belong together. Without a network, set "trusted-root" to a file, or to "embedded".',
  RELEASE_MISMATCH:
    'Do not use the file: Kubernetes signed it, but it is not what you asked for. If it was just downloaded, a mirror, a CDN or a proxy is serving a different file under this name.',
  CHECKSUM_MISMATCH:
    'Kubernetes signed this file, but its SHA-256 is not the one in "checksum". If you changed the version, change the checksum too.',
  RELEASE_TOO_NEW: 'Choose an older version, or try again later.',
  RELEASE_TOO_OLD:
    'Choose a newer version. If you asked for the newest one, compare with https://kubernetes.io/releases/: a mirror, a CDN or a proxy may be serving an outdated pointer (such as stable.txt).',
  VERSION_SKEW:
    'Set "version" to the minor version of the cluster, or set neither "version" nor "version-file". If the cluster runs a different version, correct "cluster-version".',
  LOCK_INVALID:
    'Write the lock file again with the command "lock", and commit it. Do not edit it by hand, and exclude it from tools that sort keys.',
  LOCK_MISMATCH:
    'Do not use the file or the image: the lock file holds another one. If Kubernetes has published the file again, or the lock file was edited, run the command "lock" and review what it changes.',
  INSTALL_FAILED:
    'Check the free space and the permissions of RUNNER_TEMP and RUNNER_TOOL_CACHE (for a command: of the folder for temporary files and the cache).',
  IMAGE_NOT_FOUND:
    'Check the name and the tag. If "image-registry" is set, check that the mirror has the image.',
  IMAGE_NOT_SIGNED:
    'Choose a signed image: Kubernetes has signed the images of its releases since v1.26. If "image-registry" is set, check that the mirror also has the tags "sha256-<hex>.sig"; "cosign copy" copies them.',
  IMAGE_MISMATCH:
    'Do not use the image: the registry, a mirror or a proxy served something other than what was asked for. Check "image-registry". Without one, report this at https://github.com/kubernetes/k8s.io/issues.',
  REGISTRY_UNAVAILABLE:
    'Check that this machine can reach the registry and the hosts that it redirects to: proxy, firewall, "image-registry". If it can, the registry may be down for a moment: try again. Registries that require credentials are not supported.',
};

/** What to do about the signature of an image, where {@link HINTS} is about a file. */
const IMAGE_HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  SIGNATURE_MALFORMED:
    'Kubernetes does not sign images like this. Look at the signature with "cosign download signature".',
  SIGNATURE_MISMATCH:
    'Do not use the image: its signature was damaged or replaced, or belongs to another image. Try again. If the error persists, report it at https://github.com/kubernetes/k8s.io/issues.',
  CERTIFICATE_UNTRUSTED:
    'Do not use the image: Sigstore does not issue certificates like this one. If you run your own Sigstore instance, set "trusted-root", or "tuf-mirror-url" and "tuf-root".',
  IDENTITY_MISMATCH:
    'Do not use the image: someone else signed it. If you sign your own images, set "image-certificate-identity" and "certificate-oidc-issuer" to the identity that signs them.',
  LOG_ENTRY_NOT_FOUND:
    'Do not use the image: Kubernetes logs every signature publicly, but this one is not in the log. If you run your own Sigstore instance, check "rekor-url".',
  LOG_ENTRY_INVALID:
    'Do not use the image. If you run your own Sigstore instance, check that "rekor-url" belongs to the trust root. Otherwise report this at https://github.com/sigstore/rekor/issues: someone may be tampering with the log or with the connection to it.',
};

/** What to do where the code alone says too little. */
const SITUATIONS: Readonly<Record<Exclude<Situation, 'image'>, string>> = {
  'pointer-not-a-version':
    'The release host, a mirror or a proxy returned something else. Pin an exact version, or check "download-base-url".',
  'range-without-release':
    'Widen the range. Ranges do not match pre-releases: ask for "prerelease" or for an exact version.',
  'announced-only':
    'The release is probably minutes old and has not reached every server, or your mirror has not copied it yet. Try again later, or pin an older version until then.',
  'changed-by-another-run':
    'Another process on this machine changed the tool cache at the same time. Try again. If the error persists, find out who else writes to RUNNER_TOOL_CACHE.',
  'contradictory-sbom':
    'Do not use the file. Either the release process made a mistake, or someone with its identity signed another SBOM. Report it at https://github.com/kubernetes/release/issues.',
  'file-changed':
    'Find out which process writes to the file, and run the command again. To verify a file that is in use, verify a copy.',
  'operating-system-not-published': 'Use Linux, macOS or Windows.',
  'no-release-proof':
    'If you use a mirror, add kubernetes-release.spdx with its .sig and .cert. As a last resort, set "bind-release: false", which accepts any file that Kubernetes ever signed, for any version or platform.',
  'image-of-another-version':
    'Do not use the image: Kubernetes signed it, but it is not the version you asked for. A registry, a mirror, a proxy or the lock file has a different image under this tag.',
  'signature-of-another-image':
    'Do not use the image: the registry, a mirror or a proxy serves it with the signature of another image. Check "image-registry". Without one, report this at https://github.com/kubernetes/k8s.io/issues.',
  'not-in-release':
    'Remove it from "artifacts", or choose a release that has it. If "download-base-url" is set, check that the mirror has the file.',
  'published-unsigned':
    'Remove it from "artifacts": nothing can prove it. The SBOM of the release, kubernetes-release.spdx, is signed, and lists the digest of every binary and tarball.',
  'not-a-blob-bundle':
    'Use a bundle created with "cosign sign-blob --bundle". Attestations, and signatures made with a plain key, are not accepted.',
  'lock-incomplete':
    'Run the command "lock" with this version, these "tools", "artifacts" and "images", and every platform that the jobs run on, and commit the file.',
  'lock-too-new':
    'Use the version of the action that wrote the lock file, or a later one. Or write the lock file again with the command "lock" of this version.',
  'target-folder':
    'Check that this user can write to the folder, that it has free space, and that no running program keeps the file open.',
  'mirror-folder':
    'Check the free space, the owner and the permissions of the folder. Nobody else may be able to write to it ("chmod go-w"), and no folder in it may be a link. Or choose another folder.',
  'mirror-pair':
    'Delete the .sig and .cert files of the release in that folder, or choose another folder. The bundles have the same signatures and certificates, and the log entries that belong to them.',
  'trusted-root-file': 'Set "trusted-root" to the path of a trusted_root.json.',
  'embedded-trusted-root':
    'This is a bug. Please report it at https://github.com/org/setup-verified-kubectl/issues.',
  'runner-variable-missing':
    'The runner sets these variables for every action. To run the action by hand, see "npm run action" in CONTRIBUTING.md.',
};

/** For an error without a code. */
export const UNEXPECTED_HINT =
  'This is a bug. Please report it at https://github.com/org/setup-verified-kubectl/issues, with the log of this run.';

/** What to do next, for the annotation and the job summary. */
export function hintFor({ code, situation }: SetupError): string {
  switch (situation) {
    case undefined:
      return HINTS[code];
    case 'image':
      return IMAGE_HINTS[code] ?? HINTS[code];
    default:
      return SITUATIONS[situation];
  }
}
