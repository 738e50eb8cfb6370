import { open } from 'node:fs/promises';
import { platformName, type Architecture, type Platform } from '../kubernetes/platform.js';

/** Enough for every header below; in bytes. The PE header of a Go binary is at 128. */
const HEADER_BYTES = 4096;

/** ELF class (1: 32 bits, 2: 64 bits), data (1: little endian, 2: big endian) and machine; `man 5 elf`. */
const ELF: Readonly<Record<Architecture, readonly [fileClass: number, data: number, id: number]>> =
  {
    amd64: [2, 1, 62],
    arm64: [2, 1, 183],
    arm: [1, 1, 40],
    '386': [1, 1, 3],
    ppc64le: [2, 1, 21],
    s390x: [2, 2, 22],
  };

/** CPU types of 64-bit Mach-O, from `mach/machine.h`. Kubernetes publishes no universal binaries. */
const MACH_O: Readonly<Partial<Record<Architecture, number>>> = {
  amd64: 0x01000007,
  arm64: 0x0100000c,
};

/** Machine types of the PE format, "Microsoft PE and COFF Specification", §3.3.1. */
const PE: Readonly<Partial<Record<Architecture, number>>> = {
  amd64: 0x8664,
  arm64: 0xaa64,
  '386': 0x014c,
};

/**
 * Requires the header of an executable for this platform. On Linux and macOS, `execvp` hands a file that the kernel
 * refuses to `/bin/sh`: a text, or a binary for another machine, would run as a script.
 *
 * @throws {Error}
 */
export async function assertExecutableFor(platform: Platform, file: string): Promise<void> {
  if (!isExecutableFor(platform, await readHeader(file))) {
    throw new Error(`${file} is not an executable for ${platformName(platform)}`);
  }
}

async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    // What a short file does not fill stays zero.
    const { buffer } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer;
  } finally {
    await file.close();
  }
}

function isExecutableFor({ os, arch }: Platform, header: Buffer): boolean {
  switch (os) {
    case 'linux':
      return isElf(header, arch);
    case 'darwin':
      return header.readUInt32LE(0) === 0xfeedfacf && header.readUInt32LE(4) === MACH_O[arch];
    case 'windows':
      return isPe(header, arch);
  }
}

function isElf(header: Buffer, arch: Architecture): boolean {
  const [fileClass, data, machine] = ELF[arch];
  const found = data === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
  return (
    header.readUInt32BE(0) === 0x7f454c46 &&
    header[4] === fileClass &&
    header[5] === data &&
    found === machine
  );
}

function isPe(header: Buffer, arch: Architecture): boolean {
  const offset = header.readUInt32LE(0x3c);
  return (
    header.toString('latin1', 0, 2) === 'MZ' &&
    offset <= HEADER_BYTES - 6 &&
    header.toString('latin1', offset, offset + 4) === 'PE\0\0' &&
    header.readUInt16LE(offset + 4) === PE[arch]
  );
}
