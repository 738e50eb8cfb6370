import { test } from '@jest/globals';
import { TransparencyLog, forgery } from '../../support/index.js';
import { expectInstalled, runIn } from '../expectations.js';

import { plain, type Attack, stageIn, testAttacks, withLog, useTrustedRoot } from './stage.js';

const LOG: Attack[] = [
  ['JSON nested 100,000 deep', forgery.deepJson(100_000), 'LOG_ENTRY_INVALID'] as const,
  [
    'objects nested 20,000 deep',
    forgery.text('{"a":'.repeat(20_000)),
    'LOG_ENTRY_INVALID',
  ] as const,
  ['JSON of 10 MB', forgery.hugeJson(10_000_000), 'LOG_UNAVAILABLE'] as const,
  ['an empty answer', forgery.text(''), 'LOG_ENTRY_INVALID'] as const,
  ['an empty object', forgery.text('{}'), 'LOG_ENTRY_NOT_FOUND'] as const,
  ['null', forgery.text('null'), 'LOG_ENTRY_INVALID'] as const,
  ['__proto__ as entry id', forgery.text('{"__proto__":{}}'), 'LOG_ENTRY_INVALID'] as const,
].map(([what, tamper, outcome]) => ({
  what: `log answers with ${what}`,
  outcome,
  locked: 'without effect',
  attack: withLog(tamper),
}));

LOG.push(
  {
    what: 'a log id of the trusted root whose key is another',
    outcome: 'LOG_ENTRY_INVALID',
    attack: ({ world, inputs }) => {
      const root = world.trustedRoot();
      for (const log of root.tlogs) {
        log.publicKey.rawBytes = TransparencyLog.create({ baseEntries: 1 }).spki.toString('base64');
        log.publicKey.keyDetails = 'PKIX_ECDSA_P256_SHA_256';
      }
      useTrustedRoot(inputs, world.writeTrustedRoot(root));
    },
  },
  {
    what: 'a certificate log id of the trusted root whose key is another',
    outcome: 'CERTIFICATE_UNTRUSTED',
    attack: ({ world, inputs }) => {
      const root = world.trustedRoot();
      for (const log of root.ctlogs) {
        log.publicKey.rawBytes = TransparencyLog.create({ baseEntries: 1 }).spki.toString('base64');
      }
      useTrustedRoot(inputs, world.writeTrustedRoot(root));
    },
  },
  {
    what: 'an entry of Rekor v2 without a timestamp',
    outcome: 'LOG_ENTRY_INVALID',
    locked: 'without effect',
    attack: ({ kubectl }) => {
      const bundle = kubectl.bundleV2();
      delete bundle.verificationMaterial.timestampVerificationData;
      kubectl.removeMaterial();
      kubectl.putBundle(bundle);
    },
  },
  {
    what: 'an entry of Rekor v2 with a time that nobody signed',
    outcome: 'LOG_ENTRY_INVALID',
    locked: 'without effect',
    attack: ({ kubectl }) => {
      const bundle = kubectl.bundleV2();
      delete bundle.verificationMaterial.timestampVerificationData;
      for (const entry of bundle.verificationMaterial.tlogEntries) {
        entry.integratedTime = String(Math.floor(Date.now() / 1000) - 30 * 86_400);
      }
      kubectl.removeMaterial();
      kubectl.putBundle(bundle);
    },
  },
);

testAttacks('log operator', LOG);

test('without an attack: a release signed into Rekor v2 with a timestamp is installed', async () => {
  const { kubectl, version, inputs } = stageIn(plain);
  const bundle = kubectl.bundleV2();
  kubectl.removeMaterial();
  kubectl.putBundle(bundle);
  expectInstalled(await runIn(plain, inputs), { version });
});
