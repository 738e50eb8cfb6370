import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { X509Certificate } from '@sigstore/core';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import { SetupError } from '../../errors.js';
import { untrusted } from './certificate.js';
import { ecdsaKey, isSignatureOver } from './ecdsa.js';
import type { Subject } from './subject.js';

/** A signature, what it signs, and the certificate of its key. */
export interface SignedContent {
  /** ECDSA, DER. */
  readonly signature: Buffer;
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer;
  /** X.509, DER. */
  readonly certificate: Buffer;
}

/**
 * Reads the signature in a bundle.
 *
 * @throws {SetupError} SIGNATURE_MALFORMED unless it is a signature over a file, by the key of a
 *   certificate
 */
export function signedContent(bundle: Bundle): SignedContent {
  const { content, verificationMaterial } = bundle;
  const key = verificationMaterial.content;
  const certificate =
    key.$case === 'certificate'
      ? key.certificate
      : key.$case === 'x509CertificateChain' && key.x509CertificateChain.certificates.length === 1
        ? key.x509CertificateChain.certificates[0]
        : undefined;
  if (
    content.$case !== 'messageSignature' ||
    content.messageSignature.messageDigest.algorithm !== HashAlgorithm.SHA2_256 ||
    certificate === undefined
  ) {
    throw new SetupError(
      'SIGNATURE_MALFORMED',
      'the Sigstore bundle does not contain a certificate and a signature over the SHA-256 of the file',
      { situation: 'not-a-blob-bundle' },
    );
  }
  return {
    signature: content.messageSignature.signature,
    digest: content.messageSignature.messageDigest.digest,
    certificate: certificate.rawBytes,
  };
}

/** The digest in the bundle is that of the file. */
export function checkDigest(subject: Subject, digest: Buffer): void {
  if (!subject.sha256.equals(digest)) {
    throw mismatch(`the signature is for a file with SHA-256 ${digest.toString('hex')}`);
  }
}

/**
 * ECDSA with SHA-256 over the file, with the certificate's key.
 *
 * @param signature DER
 * @param leaf the certificate of its key, as `parseLeaf` returns it
 * @returns the key
 */
export async function checkSignature(
  subject: Subject,
  signature: Buffer,
  leaf: X509Certificate,
): Promise<KeyObject> {
  const key = createPublicKey({ key: leaf.publicKey, format: 'der', type: 'spki' });
  if (key.asymmetricKeyType !== 'ec') {
    throw untrusted(`its key is of type ${key.asymmetricKeyType ?? 'unknown'}, not ECDSA`);
  }
  const ecdsa = ecdsaKey(leaf.publicKey);
  if (ecdsa === undefined) {
    throw untrusted('its key is not an uncompressed point on P-256, P-384 or P-521');
  }
  if (!(await isSignatureOver(subject.sha256, signature, ecdsa))) {
    throw mismatch('the signature does not verify over the file');
  }
  return key;
}

function mismatch(reason: string): SetupError {
  return new SetupError('SIGNATURE_MISMATCH', reason);
}
