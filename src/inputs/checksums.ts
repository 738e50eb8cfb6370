import { isTool, type Tool } from '../kubernetes/platform.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/** `checksum`: SHA-256 by tool, 64 lowercase hex digits. */
export function readChecksums(
  inputs: RawInputs,
  tools: readonly Tool[],
): Readonly<Partial<Record<Tool, string>>> {
  const checksums: Partial<Record<Tool, string>> = {};
  for (const item of inputs
    .get('checksum')
    .split(/[\s,]+/)
    .filter((text) => text !== '')) {
    const [, name, hex] = /^(?:([a-z-]+)=)?(?:sha256:)?([0-9a-fA-F]{64})$/.exec(item) ?? [];
    const tool = name ?? (tools.length === 1 ? tools[0] : undefined);
    if (hex === undefined || tool === undefined || !isTool(tool) || !tools.includes(tool)) {
      throw invalidInput(
        'checksum',
        item,
        tools.length === 0
          ? 'none, because "tools" is none'
          : `a SHA-256 of 64 hex digits, or <tool>=<SHA-256> for each of ${tools.join(', ')}`,
      );
    }
    if (checksums[tool] !== undefined) {
      throw invalidInput('checksum', item, `one SHA-256 for ${tool}`);
    }
    checksums[tool] = hex.toLowerCase();
  }
  return checksums;
}
