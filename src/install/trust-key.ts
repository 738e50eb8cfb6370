import { createHash } from 'node:crypto';
import type { ExpectedIdentity } from '../sigstore/verify/identity.js';
import type { TrustRootChoice } from '../sigstore/trust/trusted-root.js';

/**
 * Keeps apart copies that were verified for different identities, issuers, trust roots, or (without
 * proof of the release) hosts: a run sees only copies that were verified for what it asks.
 *
 * @param unboundFrom the host that was believed, with `bind-release: false`; else undefined
 * @returns 16 hex digits
 */
export function trustKey(
  identity: ExpectedIdentity,
  trustRoot: TrustRootChoice,
  unboundFrom: URL | undefined,
): string {
  const hash = createHash('sha256');
  for (const part of [
    identity.issuer,
    identity.subjectAlternativeName,
    unboundFrom === undefined ? 'bound' : `unbound ${unboundFrom.href}`,
    ...parts(trustRoot),
  ]) {
    hash.update(createHash('sha256').update(part).digest());
  }
  return hash.digest('hex').slice(0, 16);
}

function parts(trustRoot: TrustRootChoice): (string | Buffer)[] {
  switch (trustRoot.kind) {
    case 'tuf': // From any mirror: the root decides who may sign.
      return trustRoot.root === undefined ? ['public'] : ['tuf', trustRoot.root];
    case 'file':
      return ['file', trustRoot.json];
    case 'embedded': // The same keys as TUF's, so both share copies.
      return ['public'];
  }
}
