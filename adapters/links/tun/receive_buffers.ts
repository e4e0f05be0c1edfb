import { summedMemory } from "../../../core/wire/summed_memory.ts";
import type { Bytes } from "./linux.ts";

/** Room for one packet and the header in front of it. */
export interface ReceiveBuffer {
  /** For `read`: the header, if there is one, and the packet behind it. */
  readonly whole: Bytes;
  /** Begins with the header; zeros where there is none. */
  readonly header: Bytes;
  readonly packet: Bytes;
}

/** An IPv6 packet with the largest payload length (RFC 8200 3). */
const PACKET_SIZE = 40 + 65_535;
/** In place of a header. */
const NO_HEADER: Bytes = new Uint8Array(12);

/** The buffers of one `receive()`, each made when first needed. */
export class ReceiveBuffers {
  /** How many packets one `receive()` takes at most: 4 MiB. */
  static readonly COUNT = 64;
  readonly #headerSize: number;
  readonly #packetSize: number;
  readonly #buffers: ReceiveBuffer[] = [];
  /** What packets are cut from whose checksums this program takes. */
  #summed: Bytes | undefined;

  /**
   * Without a header, packets come with checksums that this program takes. `frameHeader`: bytes in
   * front of each IP packet that are its piece's.
   */
  constructor(headerSize: number, frameHeader: number) {
    this.#headerSize = headerSize;
    this.#packetSize = frameHeader + PACKET_SIZE;
  }

  /** Buffer `index`, 0 to `COUNT - 1`. */
  at(index: number): ReceiveBuffer {
    return this.#buffers[index] ??= this.#make(index);
  }

  #make(index: number): ReceiveBuffer {
    if (this.#headerSize === 0) {
      const packet = this.#cutSummed(index);
      return { whole: packet, header: NO_HEADER, packet };
    }
    const whole = new Uint8Array(this.#headerSize + this.#packetSize);
    return { whole, header: whole, packet: whole.subarray(this.#headerSize) };
  }

  /** One memory for all: a WebAssembly memory takes much address space, whatever its size. */
  #cutSummed(index: number): Bytes {
    this.#summed ??= summedMemory(ReceiveBuffers.COUNT * this.#packetSize);
    return this.#summed.subarray(index * this.#packetSize, (index + 1) * this.#packetSize);
  }
}
