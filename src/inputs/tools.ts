import { TOOLS, isTool, type Tool } from '../kubernetes/platform.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/**
 * `tools`, without duplicates; `kubectl` if it is empty, and no tool for `none`.
 *
 * @param hasOthers whether a run without tools has anything to do
 */
export function readTools(inputs: RawInputs, hasOthers: boolean): Tool[] {
  const names = inputs.words('tools');
  if (names.length === 1 && names[0] === 'none') {
    if (!hasOthers) {
      throw invalidInput('tools', 'none', 'a tool, or "artifacts" or "images" beside none');
    }
    return [];
  }
  const tools = names.map((name) => {
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
