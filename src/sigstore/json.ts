import { decodeBase64 } from './base64.js';

// Readers for JSON from outside: each returns a value of its type, or throws a TypeError.

export function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('not an object');
  }
  return value as Record<string, unknown>;
}

/** @param longest more items than these are refused */
export function list(value: unknown, longest: number): unknown[] {
  if (!Array.isArray(value) || value.length > longest) {
    throw new TypeError(`not a list of at most ${String(longest)} items`);
  }
  return value;
}

export function nonEmptyString(value: unknown): string {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError('not a text');
  }
  return value;
}

export function safeInteger(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TypeError('not a whole number');
  }
  return value;
}

/** @param value canonical base64 (RFC 4648 §4) */
export function base64(value: unknown): Buffer {
  const bytes = decodeBase64(nonEmptyString(value));
  if (bytes === undefined) {
    throw new TypeError('not base64');
  }
  return bytes;
}
