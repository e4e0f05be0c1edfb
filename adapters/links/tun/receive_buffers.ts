import { summedMemory } from "../../../core/wire/summed_memory.ts";
import type { Bytes } from "./linux.ts";

/** Buffer for one packet and its virtio header. */
export interface ReceiveBuffer {
  /** For `read`: the header, if any, followed by the packet. */
  readonly whole: Bytes;
  /** Starts with the header, which is zeros if there is none. */
  readonly header: Bytes;
  readonly packet: Bytes;
}

/** An IPv6 packet with the largest payload length (RFC 8200 3). */
const PACKET_SIZE = 40 + 65_535;
/** Used if there is no header. */
const NO_HEADER: Bytes = new Uint8Array(12);

/** The buffers of one `receive()`, each allocated on first use. */
export class ReceiveBuffers {
  /** Maximum number of packets of one `receive()`; their buffers take 4 MiB. */
  static readonly COUNT = 64;
  readonly #headerSize: number;
  readonly #packetSize: number;
  readonly #buffers: ReceiveBuffer[] = [];
  /** Memory for the buffers of packets whose checksums are verified here. */
  #summed: Bytes | undefined;

  /**
   * Without a header, checksums have to be verified here. `frameHeader` is the number of bytes before each IP packet
   * that belong to its frame.
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

  /** One memory for all buffers, since each WebAssembly memory reserves a lot of address space. */
  #cutSummed(index: number): Bytes {
    this.#summed ??= summedMemory(ReceiveBuffers.COUNT * this.#packetSize);
    return this.#summed.subarray(index * this.#packetSize, (index + 1) * this.#packetSize);
  }
}
