import { parseArchitecture, parseOperatingSystem } from '../../src/kubernetes/platform.js';

/** The platform that the action chooses by itself on this machine: `linux/amd64`. */
export const NATIVE_PLATFORM = `${parseOperatingSystem(process.platform) ?? 'linux'}/${parseArchitecture(process.arch) ?? 'amd64'}`;
