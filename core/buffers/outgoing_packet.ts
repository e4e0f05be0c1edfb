import { copyBytes } from "./copy.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * A packet on its way out: headers in one piece, payload in up to two pieces where it lies in the
 * connection's send ring. One object serves every packet; a link copies what it keeps.
 */
export class OutgoingPacket {
  /** Bytes in front of the headers that a link may use for headers of its own. */
  static readonly HEADROOM = 32;
  /**
   * IP and TCP headers at `HEADROOM`, `headerLength` bytes of them. Behind these a link may put
   * together what is small.
   */
  readonly header: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  /** Bytes of IP header, TCP header and options; whole small packets are here too. */
  headerLength = 0;
  /** Bytes of the IP header alone. */
  ipHeaderLength = 0;
  /** What holds the first piece of payload. */
  payload: Uint8Array<ArrayBuffer> = NO_BYTES;
  /** Where the first piece begins in `payload`. */
  payloadStart = 0;
  /** Bytes in the first piece. */
  payloadLength = 0;
  /** The second piece, where the ring wraps, begins at 0 of `payload`; its bytes. */
  wrappedLength = 0;
  /** Payload bytes per wire segment when this is a super-packet, 0 otherwise. */
  segmentSize = 0;
  /** True: the TCP checksum holds only the pseudo-header's sum and the link completes it. */
  checksumPartial = false;

  /** Bytes of the whole IP packet. */
  get byteLength(): number {
    return this.headerLength + this.payloadLength + this.wrappedLength;
  }

  /**
   * Writes the whole IP packet, with the `before` bytes in front of it, to `target` at `at`; returns
   * the number of bytes written.
   */
  copyTo(target: Uint8Array, at: number, before = 0): number {
    const { HEADROOM } = OutgoingPacket;
    copyBytes(this.header, HEADROOM - before, HEADROOM + this.headerLength, target, at);
    return this.#copyPayload(target, at + before + this.headerLength) - at;
  }

  /** Copies the payload behind the headers, into `header`; false: there is no room for it. */
  joinPayload(): boolean {
    const end = OutgoingPacket.HEADROOM + this.headerLength;
    if (end + this.payloadLength + this.wrappedLength > this.header.length) return false;
    this.#copyPayload(this.header, end);
    return true;
  }

  /** Writes the payload to `target` at `at`; returns where it ends. */
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
