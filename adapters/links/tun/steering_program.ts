/**
 * The eBPF program (RFC 9669) that distributes packets over a device's queues in the kernel,
 * assembled from its instructions.
 *
 * @module
 */
import { FIRST_SHARDED_PORT, type ShardSeed } from "../../../core/stack/sharding/shard.ts";
import { HALF_SIPHASH_INITIAL, lengthWord } from "../../../core/wire/half_siphash.ts";
import { PROTOCOL } from "../../../core/wire/ip.ts";
import type { Bytes } from "./linux.ts";

// RFC 9669 3 to 5: opcodes of the instructions in use.
const LOAD_ABSOLUTE = { 1: 0x30, 2: 0x28, 4: 0x20 } as const;
const LOAD_INDEXED_WORD = 0x40;
const LOAD_MEMORY_WORD = 0x61;
const STORE_WORD = 0x63;
const STORE_NUMBER = 0x62;
const ALU32 = 0x04;
const ALU64 = 0x07;
const JUMP_ALWAYS = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_NOT_EQUAL = 0x55;
const EXIT = 0x95;
const FROM_REGISTER = 0x08;
const OPERATION = {
  ADD: 0x00,
  OR: 0x40,
  AND: 0x50,
  SHIFT_LEFT: 0x60,
  SHIFT_RIGHT: 0x70,
  MODULO: 0x90,
  XOR: 0xa0,
  MOVE: 0xb0,
} as const;

/**
 * Absolute loads return their result in R0, in host byte order, expect the context in R6 and overwrite R1 to R5. So
 * everything to be hashed is first loaded and stored on the stack; only then do R1 to R4 hold the state of the hash.
 */
const R0 = 0;
const R1 = 1;
const R2 = 2;
const R3 = 3;
const R4 = 4;
/** Scratch. */
const R5 = 5;
const R6 = 6;
/** Offset of the ports, then the ports. */
const R7 = 7;
/** The IP version. */
const R8 = 8;
/** The protocol. */
const R9 = 9;
/** The end of the stack. */
const R10 = 10;

/** The words of the hash on the stack; over IPv4 only those from `LAST` on. */
const WORDS = { FIRST: 0, LAST: 6, PORTS: 8, LENGTH: 9, COUNT: 10 } as const;

/**
 * The instructions that return the queue of a TCP segment, by `shardOf()`, or of a UDP datagram, by
 * `shardOfDatagram()`. Everything else goes to queue 0: fragments, so that they can be reassembled,
 * ICMP, and packets with IPv6 extension headers.
 */
export function steeringProgram(count: number, seed: ShardSeed): Bytes {
  const program = new Assembler();
  program.copy64(R6, R1);
  program.load(1, 0);
  program.copy(R7, R0);
  program.compute(OPERATION.SHIFT_RIGHT, R0, 4);
  program.copy(R8, R0);
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
  program.keepWords(WORDS.LAST, 12, 16);
  program.storeNumber(WORDS.LENGTH, lengthWord(3));
  program.loadIndexed(R7);
  program.jump(JUMP_ALWAYS, 0, "ports");

  // RFC 8200 3.
  program.label("v6");
  program.load(1, 6);
  program.keepProtocol("v6 ports");
  program.label("v6 ports");
  program.keepWords(WORDS.FIRST, 8, 12, 16, 24, 28, 32, 20, 36);
  program.storeNumber(WORDS.LENGTH, lengthWord(9));
  program.load(4, 40);

  program.label("ports");
  program.store(WORDS.PORTS, R0);
  program.copy(R7, R0);
  program.copy(R0, R9);
  program.jump(JUMP_IF_NOT_EQUAL, PROTOCOL.UDP, "spread");
  program.copy(R0, R7);
  program.compute(OPERATION.AND, R0, 0xffff);
  program.jump(JUMP_IF_AT_LEAST, FIRST_SHARDED_PORT, "port");

  program.label("spread");
  program.beginHash(seed);
  program.copy(R0, R8);
  program.jump(JUMP_IF_EQUAL, 4, "last words");
  for (let word: number = WORDS.FIRST; word < WORDS.LAST; word++) program.hashWord(word);
  program.label("last words");
  for (let word: number = WORDS.LAST; word < WORDS.COUNT; word++) program.hashWord(word);
  program.endHash();
  program.compute(OPERATION.MODULO, R0, count);
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
  readonly offset?: number;
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

  /** Stores words of the packet on the stack, from `word` on. */
  keepWords(word: number, ...places: number[]): void {
    for (const [index, at] of places.entries()) {
      this.load(4, at);
      this.store(word + index, R0);
    }
  }

  store(word: number, register: number): void {
    this.#emit(STORE_WORD, R10, register, 0, stackOffset(word));
  }

  storeNumber(word: number, value: number): void {
    this.#emit(STORE_NUMBER, R10, 0, value, stackOffset(word));
  }

  /** `halfSipHash()`, with v0 to v3 in R1 to R4. */
  beginHash([k0, k1]: ShardSeed): void {
    this.compute(OPERATION.MOVE, R1, k0);
    this.compute(OPERATION.MOVE, R2, k1);
    this.compute(OPERATION.MOVE, R3, k0 ^ HALF_SIPHASH_INITIAL[0]);
    this.compute(OPERATION.MOVE, R4, k1 ^ HALF_SIPHASH_INITIAL[1]);
  }

  hashWord(word: number): void {
    this.#emit(LOAD_MEMORY_WORD, R0, R10, 0, stackOffset(word));
    this.combine(OPERATION.XOR, R4, R0);
    this.#round();
    this.combine(OPERATION.XOR, R1, R0);
  }

  /** Leaves the hash in R0. */
  endHash(): void {
    this.compute(OPERATION.XOR, R3, 0xff);
    for (let i = 0; i < 3; i++) this.#round();
    this.copy(R0, R2);
    this.combine(OPERATION.XOR, R0, R4);
  }

  #round(): void {
    this.combine(OPERATION.ADD, R1, R2);
    this.#rotate(R2, 5);
    this.combine(OPERATION.XOR, R2, R1);
    this.#rotate(R1, 16);
    this.combine(OPERATION.ADD, R3, R4);
    this.#rotate(R4, 8);
    this.combine(OPERATION.XOR, R4, R3);
    this.combine(OPERATION.ADD, R1, R4);
    this.#rotate(R4, 7);
    this.combine(OPERATION.XOR, R4, R1);
    this.combine(OPERATION.ADD, R3, R2);
    this.#rotate(R2, 13);
    this.combine(OPERATION.XOR, R2, R3);
    this.#rotate(R3, 16);
  }

  #rotate(register: number, bits: number): void {
    this.copy(R5, register);
    this.compute(OPERATION.SHIFT_LEFT, register, bits);
    this.compute(OPERATION.SHIFT_RIGHT, R5, 32 - bits);
    this.combine(OPERATION.OR, register, R5);
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
    for (
      const [i, { code, registers, immediate, offset, target }] of this.#instructions.entries()
    ) {
      const distance = target === undefined ? offset ?? 0 : this.#labels.get(target)! - i - 1;
      view.setUint8(8 * i, code);
      view.setUint8(8 * i + 1, registers);
      view.setInt16(8 * i + 2, distance, true);
      view.setInt32(8 * i + 4, immediate, true);
    }
    return bytes;
  }

  #emit(code: number, register: number, other: number, immediate: number, offset = 0): void {
    this.#instructions.push({ code, registers: register | (other << 4), immediate, offset });
  }
}

function stackOffset(word: number): number {
  return 4 * (word - WORDS.COUNT);
}
