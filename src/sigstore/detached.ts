import { X509Certificate as NodeCertificate } from 'node:crypto';
import { ASN1Obj } from '@sigstore/core';
import { SetupError } from '../errors.js';
import { decodeBase64 } from './base64.js';

/** A published `.sig` is about 100 bytes, a `.cert` about 1.5 KiB. */
export const MAX_SIGNATURE_BYTES = 1 << 10;
export const MAX_CERTIFICATE_BYTES = 16 << 10;

/** What `cosign sign-blob` writes beside an artifact: signature and certificate. */
export interface DetachedSignature {
  /** ECDSA, DER (RFC 3279 §2.2.3). */
  readonly signature: Buffer;
  /** X.509, DER (RFC 5280 §4.1). */
  readonly certificate: Buffer;
}

const ONE_PEM_CERTIFICATE =
  /^-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)-----END CERTIFICATE-----(?:\r?\n)?$/;

/**
 * @param signatureFile base64 of a DER ECDSA signature
 * @param certificateFile base64 of one PEM certificate, or the PEM itself
 * @throws {SetupError} SIGNATURE_MALFORMED
 */
export function parseDetached(signatureFile: Buffer, certificateFile: Buffer): DetachedSignature {
  return {
    signature: parseSignature(signatureFile),
    certificate: parseCertificate(certificateFile),
  };
}

/** @returns DER */
export function parseSignature(file: Buffer): Buffer {
  const der = decodeBase64(withoutFinalNewline(file.toString('latin1')));
  if (der === undefined) {
    throw malformed('.sig', 'it is not base64');
  }
  if (!isEcdsaSignature(der)) {
    throw malformed('.sig', 'it is not a DER-encoded ECDSA signature');
  }
  return der;
}

/** @returns DER */
export function parseCertificate(file: Buffer): Buffer {
  const text = file.toString('latin1');
  const pem = text.startsWith('-----BEGIN')
    ? text
    : decodeBase64(withoutFinalNewline(text))?.toString('latin1');
  const body = ONE_PEM_CERTIFICATE.exec(pem ?? '')?.[1];
  const der = body === undefined ? undefined : decodeBase64(body.replaceAll(/\r?\n/g, ''));
  if (der === undefined) {
    throw malformed('.cert', 'it is neither a single PEM certificate nor the base64 of one');
  }
  assertOneCertificate(der);
  return der;
}

/**
 * PEM (RFC 7468) as Go's encoding/pem writes it: lines of 64, and a newline at the end.
 *
 * @param der X.509
 */
export function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** SEQUENCE of two INTEGERs, with nothing behind it. */
function isEcdsaSignature(der: Buffer): boolean {
  try {
    const sequence = ASN1Obj.parseBuffer(Buffer.from(der));
    const [r, s, ...more] = sequence.subs;
    const isPair = r?.tag.number === 0x02 && s?.tag.number === 0x02 && more.length === 0;
    return isPair && sequence.toDER().equals(der);
  } catch {
    return false; // Not ASN.1 at all.
  }
}

function assertOneCertificate(der: Buffer): void {
  let parsed: NodeCertificate;
  try {
    parsed = new NodeCertificate(der);
  } catch (error) {
    throw malformed('.cert', 'it is not an X.509 certificate', error);
  }
  if (!parsed.raw.equals(der)) {
    throw malformed('.cert', 'there is extra data after the certificate');
  }
}

function withoutFinalNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}

function malformed(suffix: '.sig' | '.cert', reason: string, cause?: unknown): SetupError {
  return new SetupError('SIGNATURE_MALFORMED', `cannot parse the ${suffix} file: ${reason}`, {
    cause,
  });
}
