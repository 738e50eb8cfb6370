import { describe, expect, test } from '@jest/globals';
import {
  parseCertificate,
  parseDetached,
  parseSignature,
  toPem,
} from '../../../src/sigstore/detached.js';
import { CertificateAuthority } from '../../support/index.js';
import { codeOf } from './errors.js';

const { pem, der, sign } = CertificateAuthority.create().issue();
const signature = sign(Buffer.from('an artifact'));
const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString('base64');

const signatureOf = (text: string): Buffer => parseSignature(Buffer.from(text, 'latin1'));
const certificateOf = (text: string): Buffer => parseCertificate(Buffer.from(text, 'latin1'));

describe('parseSignature', () => {
  test.each([
    ['base64', base64(signature)],
    ['base64 and a line feed', `${base64(signature)}\n`],
    ['base64 and a line end of Windows', `${base64(signature)}\r\n`],
  ])('reads %s', (_, text) => {
    expect(signatureOf(text)).toEqual(signature);
  });

  /** BER, and not DER: the length of the sequence stands in two bytes. */
  const longForm = (der: Buffer): string =>
    base64(Buffer.concat([Buffer.of(0x30, 0x81), der.subarray(1)]));
  const r = signature.subarray(2, 4 + signature.readUInt8(3));
  const sequence = (...parts: Buffer[]): string => {
    const content = Buffer.concat(parts);
    return base64(Buffer.concat([Buffer.of(0x30, content.length), content]));
  };
  test.each([
    ['nothing', ''],
    ['DER that is not base64', signature.toString('latin1')],
    ['HTML', '<html></html>'],
    ['two line feeds', `${base64(signature)}\n\n`],
    ['a space in front', ` ${base64(signature)}`],
    ['base64 without its padding', base64(Buffer.from('x')).replaceAll('=', '')],
    ['base64 of something else', base64('x'.repeat(70))],
    ['something behind the signature', base64(Buffer.concat([signature, Buffer.of(0)]))],
    ['one byte less', base64(signature.subarray(0, -1))],
    ['a length in more bytes than it needs', longForm(signature)],
    ['one number', sequence(r)],
    ['three numbers', sequence(r, r, r)],
    ['something else in front of a number', sequence(Buffer.of(0x04, 1, 1), r)],
    ['something else behind a number', sequence(r, Buffer.of(0x04, 1, 1))],
    ['an RSA signature', base64(Buffer.alloc(256, 1))],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => signatureOf(text))).toBe('SIGNATURE_MALFORMED');
  });

  test('accepts two numbers, whatever they are: that is for the signature check', () => {
    expect(codeOf(() => signatureOf(sequence(r, r)))).toBeUndefined();
  });
});

describe('parseCertificate', () => {
  test.each([
    ['base64 of a PEM', base64(pem)],
    ['base64 of a PEM and a line feed', `${base64(pem)}\n`],
    ['a PEM', pem],
    ['a PEM with line ends of Windows', pem.replaceAll('\n', '\r\n')],
    ['a PEM without its last line feed', pem.trimEnd()],
  ])('reads %s', (_, text) => {
    expect(certificateOf(text)).toEqual(der);
  });

  const pemOf = (bytes: Buffer): string => toPem(bytes);
  test.each([
    ['nothing', ''],
    ['HTML', '<html></html>'],
    ['base64 of base64 of a PEM', base64(base64(pem))],
    ['base64 of DER', base64(der)],
    ['two certificates', pem + pem],
    ['base64 of two certificates', base64(pem + pem)],
    ['text in front', `text\n${pem}`],
    ['text behind', `${pem}text\n`],
    ['another label', pem.replaceAll('CERTIFICATE', 'PUBLIC KEY')],
    ['no end', pem.replace(/-----END.*\n/, '')],
    ['a PEM of something else', pemOf(Buffer.from('no certificate'))],
    ['a certificate with something behind it', pemOf(Buffer.concat([der, Buffer.of(0)]))],
    ['a certificate that was cut off', pemOf(der.subarray(0, -1))],
    ['padding within', pem.replace(/\n(?=-----END)/, '====\n')],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => certificateOf(text))).toBe('SIGNATURE_MALFORMED');
  });
});

test('parseDetached reads both files, and toPem writes what was read', () => {
  const detached = parseDetached(Buffer.from(base64(signature)), Buffer.from(base64(pem)));
  expect(detached).toEqual({ signature, certificate: der });
  expect(toPem(detached.certificate)).toBe(pem);
});
