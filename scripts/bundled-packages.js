// The packages that src/ may import. dist/ has all that they need, so package.json names them among the development
// dependencies: a user of the package installs none.

/** Also in .github/dependabot.yml. Tests compare this list with it and with what is in dist/. */
export const BUNDLED_PACKAGES = [
  '@actions/core',
  '@actions/tool-cache',
  '@noble/curves',
  '@sigstore/bundle',
  '@sigstore/core',
  '@sigstore/protobuf-specs',
  '@sigstore/tuf',
  '@sigstore/verify',
  'commander',
  'log-update',
  'p-limit',
  'p-retry',
  'semver',
  'smol-toml',
  'tuf-js',
];
