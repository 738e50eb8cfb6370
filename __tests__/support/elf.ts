/**
 * Small static Linux executables, made without a compiler. Each one matches its arguments against a table and makes the
 * system calls of the row that fits. The action refuses to start scripts, so whatever it starts must be a real one.
 *
 * ELF: `man 5 elf`. Initial stack: System V ABI, AMD64 supplement §3.4.1 and AArch64 ELF ABI (argc, then argv).
 * System calls: `man 2 syscall`, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
 */

export type ElfMachine = 'amd64' | 'arm64';

/** One system call; a text is passed as the address of its bytes, with a zero behind them. */
export type SystemCall =
  | { readonly call: 'write'; readonly text: string; readonly forever?: boolean }
  | { readonly call: 'exit'; readonly status: number }
  | { readonly call: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly call: 'create'; readonly path: string }
  /** Both processes go on with the next call. */
  | { readonly call: 'fork' }
  | { readonly call: 'sleepForever' };

/** What the program does when it is started with these arguments; undefined for any. */
export interface Row {
  readonly args?: readonly string[];
  readonly calls: readonly SystemCall[];
}

const BASE = 0x400000;
/** Where the table is in the file, and so in memory; the code knows. */
const TABLE = 0x1000;
const ROW_WORDS = 5;
const STEP_WORDS = 7;
const WORD = 8;

const MACHINES: Readonly<Record<ElfMachine, { id: number; code: string; calls: Numbers }>> = {
  amd64: {
    id: 62, // EM_X86_64
    code: [
      '4c8b2424', //             mov r12, [rsp]        argc
      '4c8b6c2410', //           mov r13, [rsp+16]     argv[1]
      '48c7c300104000', //       mov rbx, 0x401000     the first row
      '488b4308', //        row: mov rax, [rbx+8]      its argc, 0 for any
      '4885c0', //               test rax, rax
      '741c', //                 jz run
      '4c39e0', //               cmp rax, r12
      '7512', //                 jne next
      '4c89ee', //               mov rsi, r13          the kernel puts arguments one behind the other
      '488b7b18', //             mov rdi, [rbx+24]
      '488b4b10', //             mov rcx, [rbx+16]
      '4839c9', //               cmp rcx, rcx          equal, if there is nothing to compare
      'f3a6', //                 repe cmpsb
      '7405', //                 je run
      '488b1b', //         next: mov rbx, [rbx]
      'ebdb', //                 jmp row
      '488b5b20', //        run: mov rbx, [rbx+32]     the first call
      '488b03', //         step: mov rax, [rbx]
      '488b7b08', //             mov rdi, [rbx+8]
      '488b7310', //             mov rsi, [rbx+16]
      '488b5318', //             mov rdx, [rbx+24]
      '4c8b5320', //             mov r10, [rbx+32]
      '4c8b4328', //             mov r8, [rbx+40]
      '0f05', //                 syscall
      '488b5b30', //             mov rbx, [rbx+48]
      'ebe1', //                 jmp step
    ].join(''),
    calls: { write: 1, exit: 231, chmod: 268, create: 257, fork: 56, sleepForever: 271 },
  },
  arm64: {
    id: 183, // EM_AARCH64
    code: [
      'f30340f9', //             ldr x19, [sp]         argc
      'f40b40f9', //             ldr x20, [sp, #16]    argv[1]
      '150082d2', //             movz x21, #0x1000     the first row: 0x401000
      '1508a0f2', //             movk x21, #0x40, lsl #16
      'a00640f9', //        row: ldr x0, [x21, #8]     its argc, 0 for any
      'c00100b4', //             cbz x0, run
      '1f0013eb', //             cmp x0, x19
      '41010054', //             b.ne next
      'a10a40f9', //             ldr x1, [x21, #16]
      'a20e40f9', //             ldr x2, [x21, #24]
      'e30314aa', //             mov x3, x20
      '010100b4', //    compare: cbz x1, run
      '44144038', //             ldrb w4, [x2], #1
      '65144038', //             ldrb w5, [x3], #1
      '210400d1', //             sub x1, x1, #1
      '9f00056b', //             cmp w4, w5
      '60ffff54', //             b.eq compare
      'b50240f9', //       next: ldr x21, [x21]
      'f2ffff17', //             b row
      'b61240f9', //        run: ldr x22, [x21, #32]   the first call
      'c80240f9', //       step: ldr x8, [x22]
      'c00640f9', //             ldr x0, [x22, #8]
      'c10a40f9', //             ldr x1, [x22, #16]
      'c20e40f9', //             ldr x2, [x22, #24]
      'c31240f9', //             ldr x3, [x22, #32]
      'c41640f9', //             ldr x4, [x22, #40]
      '010000d4', //             svc #0
      'd61a40f9', //             ldr x22, [x22, #48]
      'f8ffff17', //             b step
    ].join(''),
    calls: { write: 64, exit: 94, chmod: 53, create: 56, fork: 220, sleepForever: 73 },
  },
};

type Numbers = Readonly<Record<SystemCall['call'], number>>;

/**
 * @param rows the first that fits counts; the last must fit any arguments
 * @param trailer bytes at the end of the file, which nothing reads
 */
export function elfExecutable(
  machine: ElfMachine,
  rows: readonly Row[],
  trailer = Buffer.alloc(0),
): Buffer {
  const { id, code, calls } = MACHINES[machine];
  const table = tableOf(rows, calls);
  const size = TABLE + table.length + trailer.length;
  const image = Buffer.alloc(TABLE);
  headers(id, size).copy(image);
  Buffer.from(code, 'hex').copy(image, ENTRY);
  return Buffer.concat([image, table, trailer]);
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const ENTRY = HEADER_BYTES + SEGMENT_BYTES;

function headers(machine: number, size: number): Buffer {
  const buffer = Buffer.alloc(ENTRY);
  // 64 bits, little endian, version 1, System V.
  buffer.write('\x7fELF\x02\x01\x01', 'latin1');
  buffer.writeUInt16LE(2, 16); // ET_EXEC
  buffer.writeUInt16LE(machine, 18);
  buffer.writeUInt32LE(1, 20); // EV_CURRENT
  buffer.writeBigUInt64LE(BigInt(BASE + ENTRY), 24);
  buffer.writeBigUInt64LE(BigInt(HEADER_BYTES), 32); // program headers
  buffer.writeUInt16LE(HEADER_BYTES, 52);
  buffer.writeUInt16LE(SEGMENT_BYTES, 54);
  buffer.writeUInt16LE(1, 56);
  const segment = buffer.subarray(HEADER_BYTES);
  segment.writeUInt32LE(1, 0); // PT_LOAD
  segment.writeUInt32LE(5, 4); // readable and executable
  for (const [value, offset] of [
    [0, 8], // from the beginning of the file
    [BASE, 16],
    [BASE, 24],
    [size, 32],
    [size, 40],
    [0x10000, 48], // the largest page of AArch64
  ] as const) {
    segment.writeBigUInt64LE(BigInt(value), offset);
  }
  return buffer;
}

/** Rows, then their calls, then the texts; every address is absolute. */
function tableOf(rows: readonly Row[], numbers: Numbers): Buffer {
  const start = BASE + TABLE;
  const firstStep = start + rows.length * ROW_WORDS * WORD;
  const steps = rows.flatMap(({ calls }) => calls);
  const texts = new Texts(firstStep + steps.length * STEP_WORDS * WORD);
  const words: number[] = [];
  let step = firstStep;
  rows.forEach(({ args, calls }, index) => {
    const joined = (args ?? []).map((arg) => `${arg}\0`).join('');
    const next = start + (index + 1) * ROW_WORDS * WORD;
    const argc = args === undefined ? 0 : args.length + 1;
    words.push(next, argc, joined.length, texts.addressOf(joined), step);
    step += calls.length * STEP_WORDS * WORD;
  });
  steps.forEach((call, index) => {
    const own = firstStep + index * STEP_WORDS * WORD;
    const isLoop = call.call === 'write' && call.forever === true;
    const next = isLoop ? own : own + STEP_WORDS * WORD;
    words.push(numbers[call.call], ...argumentsOf(call, texts), next);
  });
  const buffer = Buffer.alloc(words.length * WORD);
  words.forEach((word, index) => buffer.writeBigInt64LE(BigInt(word), index * WORD));
  return Buffer.concat([buffer, texts.bytes()]);
}

const AT_FDCWD = -100;
const O_WRONLY_O_CREAT = 0o101;
const SIGCHLD = 17;

function argumentsOf(call: SystemCall, texts: Texts): number[] {
  switch (call.call) {
    case 'write':
      return [1, texts.addressOf(call.text), Buffer.byteLength(call.text), 0, 0];
    case 'exit':
      return [call.status, 0, 0, 0, 0];
    case 'chmod': // fchmodat
      return [AT_FDCWD, texts.addressOf(call.path), call.mode, 0, 0];
    case 'create': // openat
      return [AT_FDCWD, texts.addressOf(call.path), O_WRONLY_O_CREAT, 0o644, 0];
    case 'fork': // clone
      return [SIGCHLD, 0, 0, 0, 0];
    case 'sleepForever': // ppoll of nothing
      return [0, 0, 0, 0, 0];
  }
}

class Texts {
  readonly #pieces: Buffer[] = [];
  #next: number;

  constructor(address: number) {
    this.#next = address;
  }

  addressOf(text: string): number {
    const piece = Buffer.from(`${text}\0`);
    const address = this.#next;
    this.#pieces.push(piece);
    this.#next += piece.length;
    return address;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
