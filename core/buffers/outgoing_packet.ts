import { copyBytes } from "./copy.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * An outgoing packet: contiguous headers, and a payload of up to two pieces that stay in the
 * connection's send ring. The object is reused for every packet, so a link copies whatever it needs
 * to keep.
 *
 * @example
 * ```ts
 * import { linkPair, OutgoingPacket, PacketBatch } from "@berth/berth/links";
 *
 * const [here, there] = linkPair();
 * const header = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
 * const packet = new OutgoingPacket();
 * packet.header.set(header, OutgoingPacket.HEADROOM);
 * packet.headerLength = packet.ipHeaderLength = header.length;
 * here.send(packet);
 * if (there.receive(new PacketBatch(8)) !== 1) throw new Error("not received");
 * ```
 */
export class OutgoingPacket {
  /** Bytes in front of the headers that a link may use for headers of its own. */
  static readonly HEADROOM = 32;
  /**
   * IP and TCP headers: `headerLength` bytes from `HEADROOM` on. A link may append a small payload
   * to them with `joinPayload`.
   */
  readonly header: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  /** Length of the IP header, TCP header and options, in bytes. */
  headerLength = 0;
  /** Length of the IP header alone, in bytes. */
  ipHeaderLength = 0;
  /** Buffer that holds the payload. */
  payload: Uint8Array<ArrayBuffer> = NO_BYTES;
  /** Offset of the first piece in `payload`. */
  payloadStart = 0;
  /** Length of the first piece, in bytes. */
  payloadLength = 0;
  /**
   * Length of the second piece, in bytes. It starts at offset 0 of `payload`, where the ring wraps.
   */
  wrappedLength = 0;
  /** Payload bytes per segment on the wire if this is a super-packet, otherwise 0. */
  segmentSize = 0;
  /** True: the TCP checksum field holds only the pseudo-header sum, and the link completes it. */
  checksumPartial = false;

  /** Length of the whole IP packet, in bytes. */
  get byteLength(): number {
    return this.headerLength + this.payloadLength + this.wrappedLength;
  }

  /**
   * Copies the IP packet, preceded by the last `before` bytes of headroom, to `target` at `at`.
   * Returns the number of bytes written.
   */
  copyTo(target: Uint8Array, at: number, before = 0): number {
    const { HEADROOM } = OutgoingPacket;
    copyBytes(this.header, HEADROOM - before, HEADROOM + this.headerLength, target, at);
    return this.#copyPayload(target, at + before + this.headerLength) - at;
  }

  /** Appends the payload to the headers in `header`. Returns false if it does not fit. */
  joinPayload(): boolean {
    const end = OutgoingPacket.HEADROOM + this.headerLength;
    if (end + this.payloadLength + this.wrappedLength > this.header.length) return false;
    this.#copyPayload(this.header, end);
    return true;
  }

  /** Copies the payload to `target` at `at`. Returns the offset at which it ends. */
  #copyPayload(target: Uint8Array, at: number): number {
    let end = at;
    const { payload, payloadStart, payloadLength, wrappedLength } = this;
    if (payloadLength > 0) {
      copyBytes(payload, payloadStart, payloadStart + payloadLength, target, end);
      end += payloadLength;
    }
    if (wrappedLength > 0) {
      copyBytes(payload, 0, wrappedLength, target, end);
      end += wrappedLength;
    }
    return end;
  }
}
