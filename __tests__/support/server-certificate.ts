import { DAY } from './certificate-authority.js';
import { createCertificate, createIssuer, extension, generalName, OID, toPem } from './x509.js';

/** What an https server needs, and the authority a client must trust to talk to it; all PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
  /** For `NODE_EXTRA_CA_CERTS`. */
  readonly authority: string;
}

/** A certificate for 127.0.0.1, localhost and any further host names, from an authority of its own. */
export function createServerCertificate(hostNames: readonly string[] = []): ServerCertificate {
  const validity = {
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
  };
  const authority = createIssuer({ commonName: 'test world, web' }, 'P-256');
  const authorityCertificate = createCertificate({
    ...validity,
    subject: authority.name,
    issuer: authority,
    publicKey: authority.privateKey,
    extensions: [
      extension.keyUsage(['keyCertSign', 'crlSign']),
      extension.basicConstraints(true),
      extension.subjectKeyIdentifier(authority.privateKey),
    ],
  });
  const { privateKey } = createIssuer({}, 'P-256');
  const certificate = createCertificate({
    ...validity,
    subject: { commonName: 'localhost' },
    issuer: authority,
    publicKey: privateKey,
    extensions: [
      extension.keyUsage(['digitalSignature']),
      extension.extendedKeyUsage([OID.serverAuthentication]),
      extension.subjectKeyIdentifier(privateKey),
      extension.authorityKeyIdentifier(authority.privateKey),
      extension.subjectAlternativeName(
        [
          generalName.ipAddress([127, 0, 0, 1]),
          ...['localhost', ...hostNames].map(generalName.dnsName),
        ],
        false,
      ),
    ],
  });
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: toPem(certificate),
    authority: toPem(authorityCertificate),
  };
}
