/**
 * The eBPF program (RFC 9669) that distributes packets over a device's queues in the kernel,
 * assembled from its instructions.
 *
 * @module
 */
import { FIRST_SHARDED_PORT, SHARD_MULTIPLIERS } from "../../../core/stack/sharding/shard.ts";
import { PROTOCOL } from "../../../core/wire/ip.ts";
import type { Bytes } from "./linux.ts";

// RFC 9669 3 and 4: opcodes of the instructions in use.
const LOAD_ABSOLUTE = { 1: 0x30, 2: 0x28, 4: 0x20 } as const;
const LOAD_INDEXED_WORD = 0x40;
const ALU32 = 0x04;
const ALU64 = 0x07;
const JUMP_ALWAYS = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_NOT_EQUAL = 0x55;
const EXIT = 0x95;
const FROM_REGISTER = 0x08;
const OPERATION = {
  MULTIPLY: 0x20,
  AND: 0x50,
  SHIFT_LEFT: 0x60,
  SHIFT_RIGHT: 0x70,
  MODULO: 0x90,
  XOR: 0xa0,
  MOVE: 0xb0,
} as const;

/** Absolute loads return their result in R0, in host byte order, and expect the context in R6. */
const R0 = 0;
const R1 = 1;
const R6 = 6;
/** Offset of the ports, then the ports. */
const R7 = 7;
/** The addresses, then the hash. */
const R8 = 8;
/** The protocol, then scratch. */
const R9 = 9;

/**
 * The instructions that return the queue of a TCP segment, by `shardOf()`, or of a UDP datagram, by
 * `shardOfDatagram()`. Everything else goes to queue 0: fragments, so that they can be reassembled,
 * ICMP, and packets with IPv6 extension headers.
 */
export function steeringProgram(count: number, seed: number): Bytes {
  const program = new Assembler();
  program.copy64(R6, R1);
  program.load(1, 0);
  program.copy(R7, R0);
  program.compute(OPERATION.SHIFT_RIGHT, R0, 4);
  program.jump(JUMP_IF_EQUAL, 6, "v6");
  program.jump(JUMP_IF_NOT_EQUAL, 4, "other");

  // RFC 791 3.1: protocol; fragment offset and more fragments; header length; addresses; ports.
  program.load(1, 9);
  program.keepProtocol("v4 ports");
  program.label("v4 ports");
  program.load(2, 6);
  program.compute(OPERATION.AND, R0, 0x3fff);
  program.jump(JUMP_IF_NOT_EQUAL, 0, "other");
  program.compute(OPERATION.AND, R7, 15);
  program.compute(OPERATION.SHIFT_LEFT, R7, 2);
  program.loadAddresses(12, 16);
  program.loadIndexed(R7);
  program.jump(JUMP_ALWAYS, 0, "hash");

  // RFC 8200 3.
  program.label("v6");
  program.load(1, 6);
  program.keepProtocol("v6 ports");
  program.label("v6 ports");
  program.loadAddresses(8, 12, 16, 20, 24, 28, 32, 36);
  program.load(4, 40);

  program.label("hash");
  program.copy(R7, R0);
  program.copy(R0, R9);
  program.jump(JUMP_IF_NOT_EQUAL, PROTOCOL.UDP, "spread");
  program.copy(R0, R7);
  program.compute(OPERATION.AND, R0, 0xffff);
  program.jump(JUMP_IF_AT_LEAST, FIRST_SHARDED_PORT, "port");

  program.label("spread");
  program.copy(R0, R7);
  const [first, second, third] = SHARD_MULTIPLIERS;
  program.compute(OPERATION.MULTIPLY, R8, first);
  program.compute(OPERATION.XOR, R8, seed);
  program.foldShifted(15);
  program.compute(OPERATION.MULTIPLY, R8, second);
  program.combine(OPERATION.XOR, R8, R0);
  program.foldShifted(13);
  program.compute(OPERATION.MULTIPLY, R8, third);
  program.foldShifted(16);
  program.compute(OPERATION.MODULO, R8, count);
  program.copy(R0, R8);
  program.exit();

  program.label("port");
  program.compute(OPERATION.MODULO, R0, count);
  program.exit();

  program.label("other");
  program.compute(OPERATION.MOVE, R0, 0);
  program.exit();
  return program.assemble();
}

interface Instruction {
  readonly code: number;
  readonly registers: number;
  readonly immediate: number;
  readonly target?: string;
}

class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();

  load(size: keyof typeof LOAD_ABSOLUTE, at: number): void {
    this.#emit(LOAD_ABSOLUTE[size], 0, 0, at);
  }

  loadIndexed(register: number): void {
    this.#emit(LOAD_INDEXED_WORD, 0, register, 0);
  }

  /** Jumps to `target`, with R0 copied to R9, if R0 is TCP or UDP; otherwise to "other". */
  keepProtocol(target: string): void {
    this.copy(R9, R0);
    this.jump(JUMP_IF_EQUAL, PROTOCOL.TCP, target);
    this.jump(JUMP_IF_NOT_EQUAL, PROTOCOL.UDP, "other");
  }

  /** Loads the exclusive or of words into R8. */
  loadAddresses(...places: number[]): void {
    this.compute(OPERATION.MOVE, R8, 0);
    for (const at of places) {
      this.load(4, at);
      this.combine(OPERATION.XOR, R8, R0);
    }
  }

  /** R8 ^= R8 >>> bits. */
  foldShifted(bits: number): void {
    this.copy(R9, R8);
    this.compute(OPERATION.SHIFT_RIGHT, R9, bits);
    this.combine(OPERATION.XOR, R8, R9);
  }

  compute(operation: number, register: number, value: number): void {
    this.#emit(ALU32 | operation, register, 0, value);
  }

  combine(operation: number, register: number, other: number): void {
    this.#emit(ALU32 | FROM_REGISTER | operation, register, other, 0);
  }

  copy(register: number, other: number): void {
    this.combine(OPERATION.MOVE, register, other);
  }

  /** Copies all 64 bits, for a pointer. */
  copy64(register: number, other: number): void {
    this.#emit(ALU64 | FROM_REGISTER | OPERATION.MOVE, register, other, 0);
  }

  /** Compares R0 with `value` and jumps. */
  jump(code: number, value: number, target: string): void {
    this.#instructions.push({ code, registers: R0, immediate: value, target });
  }

  label(name: string): void {
    this.#labels.set(name, this.#instructions.length);
  }

  exit(): void {
    this.#emit(EXIT, 0, 0, 0);
  }

  /** RFC 9669 3: 64 bits each, here in little-endian order. */
  assemble(): Bytes {
    const bytes = new Uint8Array(8 * this.#instructions.length);
    const view = new DataView(bytes.buffer);
    for (const [i, { code, registers, immediate, target }] of this.#instructions.entries()) {
      const distance = target === undefined ? 0 : this.#labels.get(target)! - i - 1;
      view.setUint8(8 * i, code);
      view.setUint8(8 * i + 1, registers);
      view.setInt16(8 * i + 2, distance, true);
      view.setInt32(8 * i + 4, immediate, true);
    }
    return bytes;
  }

  #emit(code: number, register: number, other: number, immediate: number): void {
    this.#instructions.push({ code, registers: register | (other << 4), immediate });
  }
}
