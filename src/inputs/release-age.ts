import type { SecondFactors } from '../install/second-factors.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** In milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `minimum-release-age` and `maximum-release-age`. */
export function readAges(inputs: RawInputs): Pick<SecondFactors, 'minimumAge' | 'maximumAge'> {
  const minimumAge = readAge(inputs, 'minimum-release-age');
  const maximumAge = readAge(inputs, 'maximum-release-age');
  if (minimumAge !== undefined && maximumAge !== undefined && maximumAge <= minimumAge) {
    throw invalidInput(
      'maximum-release-age',
      inputs.get('maximum-release-age'),
      'an age greater than "minimum-release-age"',
    );
  }
  return { minimumAge, maximumAge };
}

/** @returns milliseconds */
function readAge(inputs: RawInputs, name: string): number | undefined {
  const given = inputs.get(name);
  if (given === '') {
    return undefined;
  }
  const [, count, unit] = /^(\d{1,4})([mhdw])$/.exec(given) ?? [];
  const milliseconds = UNITS[unit ?? ''];
  if (count === undefined || milliseconds === undefined) {
    throw invalidInput(name, given, 'a number and a unit: 90m, 12h, 3d, 1w');
  }
  return Number(count) * milliseconds;
}
