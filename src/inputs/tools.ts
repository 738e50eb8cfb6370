import { TOOLS, isTool, type Tool } from '../kubernetes/platform.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** Inputs that give a run something to do without a tool. */
const WITHOUT_TOOLS = ['artifacts', 'images'];

/** `tools`, without duplicates; `kubectl` if it is empty, and no tool for `none`. */
export function readTools(inputs: RawInputs): Tool[] {
  const names = inputs.words('tools');
  if (names.size === 1 && names.has('none')) {
    if (WITHOUT_TOOLS.every((name) => inputs.words(name).size === 0)) {
      const others = WITHOUT_TOOLS.map((name) => JSON.stringify(name)).join(' or ');
      throw invalidInput('tools', 'none', `a tool, or ${others} beside none`);
    }
    return [];
  }
  const tools = [...names].map((name) => {
    if (!isTool(name)) {
      throw invalidInput(
        'tools',
        name,
        `one or more of ${TOOLS.join(', ')}, separated by commas, spaces or newlines; or none, alone`,
      );
    }
    return name;
  });
  return tools.length === 0 ? ['kubectl'] : tools;
}
