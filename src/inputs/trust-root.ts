import { SetupError, explain } from '../errors.js';
import { readPlainFile } from '../files/plain-file.js';
import { PUBLIC_MIRROR } from '../sigstore/trust/public-instance.js';
import type { TrustRootChoice } from '../sigstore/trust/trusted-root.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';
import { readUrl } from './urls.js';

/** For a trusted_root.json or an initial root.json. The public ones have 7 KiB. */
const MAX_TRUST_BYTES = 1 << 20;

/** `trusted-root`, `tuf-mirror-url` and `tuf-root`. */
export function readTrustRoot(inputs: RawInputs): TrustRootChoice {
  const trustedRoot = inputs.get('trusted-root');
  const mirror = readUrl(inputs, 'tuf-mirror-url', PUBLIC_MIRROR);
  const root = inputs.get('tuf-root');
  if (trustedRoot !== '') {
    if (root !== '') {
      throw new SetupError('INVALID_INPUT', 'Set either "trusted-root" or "tuf-root", not both.');
    }
    return trustedRoot === 'embedded'
      ? { kind: 'embedded' }
      : {
          kind: 'file',
          path: inputs.path('trusted-root'),
          json: readTrusted(inputs, 'trusted-root', ', or "embedded"'),
        };
  }
  if (root !== '') {
    return { kind: 'tuf', mirror, root: readTrusted(inputs, 'tuf-root') };
  }
  if (mirror.origin !== PUBLIC_MIRROR || mirror.pathname !== '/') {
    throw invalidInput(
      'tuf-mirror-url',
      mirror.href,
      '"tuf-root" to be set too (the path of the initial root.json), because this is not Sigstore\'s repository',
    );
  }
  return { kind: 'tuf', mirror };
}

/** Reads a file once, so that the trust key of a run is computed from the bytes that it trusts. */
function readTrusted(inputs: RawInputs, name: string, otherwise = ''): Buffer {
  const file = inputs.path(name);
  try {
    const json = readPlainFile(file, MAX_TRUST_BYTES);
    if (json.length === 0) {
      throw new Error('it is empty');
    }
    return json;
  } catch (error) {
    const accepted = `the path of a file of at most 1 MiB${otherwise}`;
    throw invalidInput(name, inputs.get(name), `${accepted} (${explain(error)})`);
  }
}
