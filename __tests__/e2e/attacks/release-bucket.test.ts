import { type Stage, type Attack, testAttacks } from './stage.js';

/** Signed, but not logged, so that nothing can be recovered from the log; then `.cert` is changed. */
const withCertificateFile =
  (change: (pem: string) => Buffer | string): Attack['attack'] =>
  ({ world, version, kubectl }) => {
    const fresh = world.release.putFile(kubectl.path, Buffer.from(`#!/bin/sh\n# ${version}\n`), {
      signing: { log: false },
    });
    world.host.put(`${kubectl.path}.cert`, change(fresh.certificate.pem));
  };

const base64 = (text: Buffer | string): string => Buffer.from(text).toString('base64');

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----.*-----|\n/g, ''), 'base64');

const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${(base64(der).match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;

const CERTIFICATES: Attack[] = [
  ...(
    [
      ['several certificates', (pem) => base64(pem + pem)],
      ['garbage behind the certificate', (pem) => base64(`${pem}garbage`)],
      ['garbage before the certificate', (pem) => base64(`garbage\n${pem}`)],
      ['garbage behind the base64', (pem) => `${base64(pem)}!`],
      ['bytes behind the DER', (pem) => base64(pemOf(Buffer.concat([derOf(pem), Buffer.of(0)])))],
      ['DER cut short', (pem) => base64(pemOf(derOf(pem).subarray(0, -1)))],
      ['a PEM of another kind', (pem) => base64(pem.replaceAll('CERTIFICATE', 'PUBLIC KEY'))],
      ['PEM headers', (pem) => base64(pem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n'))],
      ['an empty file', () => ''],
      ['HTML', () => '<html>log in</html>'],
    ] satisfies [string, (pem: string) => string][]
  ).map(([what, change]): Attack => ({
    what: `.cert with ${what}`,
    outcome: 'SIGNATURE_MALFORMED',
    locked: 'LOCK_MISMATCH',
    attack: withCertificateFile(change),
  })),
  ...(['rsa', 'ed25519'] as const).flatMap((key): Attack[] => [
    {
      what: `certificate with a key of type ${key}, and its signature`,
      outcome: 'SIGNATURE_MALFORMED',
      locked: 'LOCK_MISMATCH',
      // Other bytes than the published ones, whose genuine entry the log would still hold.
      attack: ({ world, kubectl }) =>
        void world.release.putFile(kubectl.path, Buffer.from(`#!/bin/sh\n# ${key}\n`), {
          signing: { certificate: { key } },
        }),
    },
    {
      what: `certificate with a key of type ${key}, and an ECDSA signature`,
      outcome: 'CERTIFICATE_UNTRUSTED',
      locked: 'without effect',
      attack: ({ kubectl, world }) => {
        const { signature } = kubectl;
        const { certificate } = world.release.signAndLog(kubectl.bytes, { certificate: { key } });
        kubectl.putMaterial({ signature, certificate });
      },
    },
  ]),
  {
    what: 'certificate of an authority as leaf',
    outcome: 'CERTIFICATE_UNTRUSTED',
    locked: 'without effect',
    attack: ({ kubectl }) => void kubectl.sign({ certificate: { isCA: true } }),
  },
  {
    what: "the authority's own certificate as leaf",
    outcome: 'SIGNATURE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    attack: ({ world, version, kubectl }) =>
      withCertificateFile(() => base64(pemOf(world.authority.intermediate)))({
        world,
        version,
        kubectl,
      } as Stage),
  },
];

testAttacks('release bucket: certificates', CERTIFICATES);
