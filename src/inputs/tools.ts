import { TOOLS, isTool, type Tool } from '../kubernetes/platform.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** `tools`, without duplicates; `kubectl` if it is empty. */
export function readTools(inputs: RawInputs): Tool[] {
  const names = new Set(
    inputs
      .get('tools')
      .split(/[\s,]+/)
      .filter((name) => name !== ''),
  );
  const tools = [...names].map((name) => {
    if (!isTool(name)) {
      throw invalidInput(
        'tools',
        name,
        `one or more of ${TOOLS.join(', ')}, separated by commas, spaces or newlines`,
      );
    }
    return name;
  });
  return tools.length === 0 ? ['kubectl'] : tools;
}
