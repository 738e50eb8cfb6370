import { TrustedRoot } from '@sigstore/protobuf-specs';
import { object } from '../json.js';

const LISTS = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'] as const;

/**
 * Compares two trusted roots. What a root trusts is a set: its order and spelling mean nothing.
 *
 * @param json a trusted_root.json that `parseTrustedRoot` accepts, and so is `trusted`
 * @returns what the first root trusts and the second does not, or not for as long, for a message;
 *   undefined if there is nothing
 */
export function untrustedPart(json: Buffer, trusted: Buffer): string | undefined {
  const [found, known] = [normalized(json), normalized(trusted)];
  for (const list of LISTS) {
    const index = found[list].findIndex((one) => !known[list].some((other) => covers(other, one)));
    if (index !== -1) {
      const { name } = found[list][index] ?? { name: '' };
      return `${list}[${String(index)}] (${name})`;
    }
  }
  return undefined;
}

/** A log or an authority. */
interface Trusted {
  /** For messages: a URL. */
  readonly name: string;
  /** All of it but the time. */
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
}

type Lists = Readonly<Record<(typeof LISTS)[number], readonly Trusted[]>>;

/** In the spelling of one library, so that equal values are equal texts. */
function normalized(json: Buffer): Lists {
  const root = object(TrustedRoot.toJSON(TrustedRoot.fromJSON(JSON.parse(json.toString('utf8')))));
  const read = (list: (typeof LISTS)[number]): Trusted[] => {
    const entries: unknown = root[list] ?? [];
    return Array.isArray(entries) ? entries.map(trusted) : [];
  };
  return {
    tlogs: read('tlogs'),
    ctlogs: read('ctlogs'),
    certificateAuthorities: read('certificateAuthorities'),
    timestampAuthorities: read('timestampAuthorities'),
  };
}

/** Logs have their time beside the key, authorities beside the certificates. */
function trusted(value: unknown): Trusted {
  const { validFor: ofAuthority, publicKey, ...entry } = object(value);
  const { validFor: ofKey, ...key } = object(publicKey ?? {});
  const { start, end } = object(ofKey ?? ofAuthority ?? {});
  return {
    name: JSON.stringify(entry['baseUrl'] ?? entry['uri'] ?? ''),
    identity: JSON.stringify([entry, key]),
    start: typeof start === 'string' ? Date.parse(start) : -Infinity,
    end: typeof end === 'string' ? Date.parse(end) : Infinity,
  };
}

function covers(known: Trusted, found: Trusted): boolean {
  return known.identity === found.identity && known.start <= found.start && found.end <= known.end;
}
