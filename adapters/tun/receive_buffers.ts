import { summedMemory } from "../../core/wire/summed_memory.ts";
import type { TunHost } from "./host.ts";
import { type Bytes, IoVectors } from "./linux.ts";

/** Room for one packet and the header in front of it. */
export interface ReceiveBuffer {
  /** For `readv`: the header, if there is one, and the packet. */
  readonly vectors: Bytes;
  readonly vectorCount: number;
  /** Zeros where there is no header. */
  readonly header: Bytes;
  readonly packet: Bytes;
}

/** An IPv6 packet with the largest payload length (RFC 8200 3). */
const PACKET_SIZE = 40 + 65_535;

/** The buffers of one `receive()`, each made when first needed. */
export class ReceiveBuffers {
  /** How many packets one `receive()` takes at most: 4 MiB. */
  static readonly COUNT = 64;
  readonly #host: TunHost;
  readonly #headerSize: number;
  readonly #packetSize: number;
  readonly #checksumOffload: boolean;
  readonly #buffers: ReceiveBuffer[] = [];
  /** What packets are cut from whose checksums this program takes. */
  #summed: Bytes | undefined;

  /** `frameHeader`: bytes in front of each IP packet that are its piece's. */
  constructor(host: TunHost, headerSize: number, frameHeader: number, checksumOffload: boolean) {
    this.#host = host;
    this.#headerSize = headerSize;
    this.#packetSize = frameHeader + PACKET_SIZE;
    this.#checksumOffload = checksumOffload;
  }

  /** Buffer `index`, 0 to `COUNT - 1`. */
  at(index: number): ReceiveBuffer {
    return this.#buffers[index] ?? this.#make(index);
  }

  #make(index: number): ReceiveBuffer {
    const packet = this.#checksumOffload
      ? new Uint8Array(this.#packetSize)
      : this.#cutSummed(index);
    const header = new Uint8Array(Math.max(this.#headerSize, 12));
    const vectors = new IoVectors(2);
    let vectorCount = 0;
    if (this.#headerSize > 0) {
      vectors.set(vectorCount++, this.#host.addressOf(header), this.#headerSize);
    }
    vectors.set(vectorCount++, this.#host.addressOf(packet), packet.length);
    const buffer = { vectors: vectors.bytes, vectorCount, header, packet };
    this.#buffers[index] = buffer;
    return buffer;
  }

  /** One memory for all: a WebAssembly memory takes much address space, whatever its size. */
  #cutSummed(index: number): Bytes {
    this.#summed ??= summedMemory(ReceiveBuffers.COUNT * this.#packetSize);
    return this.#summed.subarray(index * this.#packetSize, (index + 1) * this.#packetSize);
  }
}
