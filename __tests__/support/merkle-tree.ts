import { createHash } from 'node:crypto';

const LEAF_PREFIX = Buffer.from([0]);
const NODE_PREFIX = Buffer.from([1]);

/** A leaf's hash: SHA-256(0x00 ‖ leaf) (RFC 6962 §2.1). */
export const leafHash = (leaf: Buffer): Buffer =>
  createHash('sha256').update(LEAF_PREFIX).update(leaf).digest();

const nodeHash = (left: Buffer, right: Buffer): Buffer =>
  createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest();

/**
 * The Merkle tree of RFC 6962 §2.1, append-only. Hashes of complete subtrees are kept, so that a root or a proof at any
 * size costs a few dozen hashes.
 */
export class MerkleTree {
  /** `#levels[k][i]` is the hash of leaves i·2^k to (i+1)·2^k - 1. */
  readonly #levels: Buffer[][] = [[]];

  get size(): number {
    return this.#level(0).length;
  }

  /** Adds a leaf's bytes; returns its index. */
  append(leaf: Buffer): number {
    const index = this.size;
    let hash = leafHash(leaf);
    this.#level(0).push(hash);
    for (let level = 0, at = index; at % 2 === 1; level++, at = (at - 1) / 2) {
      hash = nodeHash(this.#hash(level, at - 1), hash);
      this.#level(level + 1).push(hash);
    }
    return index;
  }

  /** The root over the first `size` leaves, 32 bytes. */
  root(size = this.size): Buffer {
    this.#checkSize(size);
    return size === 0 ? createHash('sha256').digest() : this.#subtree(0, size);
  }

  /** The audit path of a leaf in the tree of the first `size` leaves, lowest first (RFC 6962 §2.1.1). */
  inclusionProof(index: number, size = this.size): Buffer[] {
    this.#checkSize(size);
    if (index < 0 || index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`);
    return this.#path(index, 0, size);
  }

  #path(index: number, start: number, end: number): Buffer[] {
    if (end - start === 1) return [];
    const split = start + largestPowerOfTwoBelow(end - start);
    return index < split
      ? [...this.#path(index, start, split), this.#subtree(split, end)]
      : [...this.#path(index, split, end), this.#subtree(start, split)];
  }

  #subtree(start: number, end: number): Buffer {
    const width = end - start;
    const level = Math.log2(width);
    // RFC 6962 splits so that a subtree of 2^k leaves always starts at a multiple of 2^k.
    if (Number.isInteger(level)) return this.#hash(level, start / width);
    const split = start + largestPowerOfTwoBelow(width);
    return nodeHash(this.#subtree(start, split), this.#subtree(split, end));
  }

  #level(level: number): Buffer[] {
    return (this.#levels[level] ??= []);
  }

  #hash(level: number, index: number): Buffer {
    const hash = this.#level(level)[index];
    if (hash === undefined) throw new RangeError(`no node ${index} on level ${level}`);
    return hash;
  }

  #checkSize(size: number): void {
    if (size < 0 || size > this.size) throw new RangeError(`no tree of size ${size}`);
  }
}

/** The largest power of two smaller than n, n > 1. */
const largestPowerOfTwoBelow = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));
