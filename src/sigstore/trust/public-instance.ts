/** The TUF repository of Sigstore's public instance, and its seed in `@sigstore/tuf`. */
export const PUBLIC_MIRROR = 'https://tuf-repo-cdn.sigstore.dev';
