import type { ASN1Obj } from '@sigstore/core';

/** Identifier octets (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific and primitive: implicit tagging of a primitive type. */
  primitive0: 0x80,
  primitive6: 0x86,
  /** Context-specific and constructed: explicit tagging, or implicit tagging of a SET. */
  context0: 0xa0,
  context3: 0xa3,
} as const;

/** Whether an element consists of elements with exactly these identifier octets, in this order. */
export function hasParts(element: ASN1Obj | undefined, ...tags: readonly number[]): boolean {
  const parts = element?.subs ?? [];
  return parts.length === tags.length && parts.every(({ tag }, i) => tag.toDER() === tags[i]);
}

/** Whether an element is encoded in exactly these bytes. */
export function isEncoded(element: ASN1Obj | undefined, der: Buffer | undefined): boolean {
  return element !== undefined && der !== undefined && element.toDER().equals(der);
}
