import path from 'node:path';
import { SetupError } from '../errors.js';
import type { Environment } from './environment.js';

/** Characters of a refused input that the message repeats. */
const LONGEST_SHOWN = 100;

/** Inputs as the runner passes them: `INPUT_<NAME>` in the environment, white space trimmed. */
export class RawInputs {
  readonly isWindows: boolean;
  readonly #variables: Environment['variables'];

  constructor({ variables, platform }: Environment) {
    this.isWindows = platform === 'win32';
    this.#variables = variables;
  }

  /** The value of an input, empty if it is not set. */
  get(name: string): string {
    return (this.#variables[`INPUT_${name.toUpperCase()}`] ?? '').trim();
  }

  /** The words of an input, separated by commas, spaces or newlines, each once. */
  words(name: string): string[] {
    const words = this.get(name).split(/[\s,]+/);
    return [...new Set(words.filter((word) => word !== ''))];
  }

  /** GITHUB_WORKSPACE, or else the current directory; an absolute path. */
  get workspace(): string {
    return path.resolve(this.#variables['GITHUB_WORKSPACE'] ?? '');
  }

  /** The path in an input, as an absolute one. Relative paths are below the workspace. */
  path(name: string): string {
    return path.resolve(this.workspace, this.get(name));
  }
}

/**
 * An input that has a default in action.yml. Setting it to an empty value is an error, and does not
 * turn a check off.
 */
export function readRequired(inputs: RawInputs, name: string): string {
  const given = inputs.get(name);
  if (given === '') {
    throw invalidInput(
      name,
      given,
      'the exact value that the certificate must have; this input cannot be empty',
    );
  }
  return given;
}

/** @param otherwise the value for an empty input */
export function readBoolean(inputs: RawInputs, name: string, otherwise: boolean): boolean {
  const given = inputs.get(name);
  if (given === '') {
    return otherwise;
  }
  // The YAML 1.2 core schema, as in getBooleanInput of @actions/core.
  if (!['true', 'True', 'TRUE', 'false', 'False', 'FALSE'].includes(given)) {
    throw invalidInput(name, given, 'true or false');
  }
  return given.toLowerCase() === 'true';
}

/** INVALID_INPUT, with the input, its value, and what is expected instead. */
export function invalidInput(name: string, given: string, expected: string): SetupError {
  const shown = given.length > LONGEST_SHOWN ? `${given.slice(0, LONGEST_SHOWN)}…` : given;
  return new SetupError(
    'INVALID_INPUT',
    `Input "${name}": ${given === '' ? 'an empty value' : JSON.stringify(shown)} is not valid. Expected ${expected}.`,
  );
}
