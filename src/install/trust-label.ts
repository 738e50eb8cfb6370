import { createHash } from 'node:crypto';
import type { ExpectedIdentity } from '../sigstore/identity.js';
import type { TrustRootChoice } from '../sigstore/trusted-root.js';

/**
 * Names what a run trusts: issuer, identity, and the trust root or the root that TUF begins with.
 *
 * Copies in the tool cache are kept apart by it. Else a run that trusts somebody else would find
 * the copy of this one wanting, and put its own in the place that this one has put on `PATH`.
 *
 * @returns 16 hex digits
 */
export function trustLabel(identity: ExpectedIdentity, trustRoot: TrustRootChoice): string {
  const hash = createHash('sha256');
  for (const part of [identity.issuer, identity.subjectAlternativeName, ...parts(trustRoot)]) {
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
