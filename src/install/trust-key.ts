import { createHash } from 'node:crypto';
import type { ExpectedIdentity } from '../sigstore/verify/identity.js';
import type { TrustRootChoice } from '../sigstore/trust/trusted-root.js';

/**
 * Names what a run asks of a copy: issuer, identity, trust root or the root that TUF begins with,
 * and the release. Copies in the tool cache are kept apart by it: one with the evidence that
 * satisfies this run is not displaced by one that satisfies another run, and not looked at by it.
 *
 * @param unboundFrom without proof for the release, the host that was believed; else undefined
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
    case 'tuf': // By whatever mirror: who may sign is a matter of the root.
      return trustRoot.root === undefined ? ['public'] : ['tuf', trustRoot.root];
    case 'file':
      return ['file', trustRoot.json];
    case 'embedded': // A copy of what TUF gives: without network it serves for what came with it.
      return ['public'];
  }
}
