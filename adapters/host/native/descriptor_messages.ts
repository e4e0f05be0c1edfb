/**
 * Messages with file descriptors over a Unix socket (unix(7), SCM_RIGHTS).
 *
 * @module
 */
import type { LibcHost } from "../../runtime/libc/host.ts";
import {
  type Bytes,
  EAGAIN,
  EINTR,
  IoVectors,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  readInt,
  SCM_RIGHTS,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";

/** Maximum number of descriptors in a message; the kernel permits 253. */
export const MAX_DESCRIPTORS = 64;

/** The size of `struct msghdr`, and the offsets of its fields. */
export const MESSAGE = {
  size: 56,
  name: 0,
  nameSize: 8,
  vectors: 16,
  vectorCount: 24,
  control: 32,
  controlSize: 40,
  flags: 48,
} as const;
/** The size of `struct cmsghdr`. */
export const CONTROL_HEADER = 16;

/** A message that was received. */
export interface ReceivedMessage {
  /** Valid until the next message is received; empty if the peer has closed the socket. */
  readonly bytes: Bytes;
  /** The descriptors of the message; they have the flag FD_CLOEXEC. */
  readonly descriptors: readonly number[];
}

/** Sends messages with descriptors. */
export class MessageSender {
  readonly #host: LibcHost;
  readonly #message: Bytes = new Uint8Array(MESSAGE.size);
  readonly #view = new DataView(this.#message.buffer as ArrayBuffer);
  readonly #vectors = new IoVectors(1);
  readonly #control: Bytes = new Uint8Array(CONTROL_HEADER + 4 * MAX_DESCRIPTORS);

  constructor(host: LibcHost) {
    this.#host = host;
    const { addressOf } = host;
    this.#view.setBigUint64(MESSAGE.vectors, BigInt(addressOf(this.#vectors.bytes)), true);
    this.#view.setBigUint64(MESSAGE.vectorCount, 1n, true);
    this.#view.setBigUint64(MESSAGE.control, BigInt(addressOf(this.#control)), true);
  }

  /** Sends at most {@link MAX_DESCRIPTORS} descriptors; returns 0 or the error number. */
  send(fd: number, bytes: Bytes, descriptors: readonly number[] = []): number {
    const { libc, addressOf, errno } = this.#host;
    this.#vectors.set(0, addressOf(bytes), bytes.length);
    const size = CONTROL_HEADER + 4 * descriptors.length;
    // CMSG_SPACE rounds up to a multiple of 8.
    const space = descriptors.length === 0 ? 0 : Math.ceil(size / 8) * 8;
    this.#view.setBigUint64(MESSAGE.controlSize, BigInt(space), true);
    const control = new DataView(this.#control.buffer);
    control.setBigUint64(0, BigInt(size), true);
    control.setInt32(8, SOL_SOCKET, true);
    control.setInt32(12, SCM_RIGHTS, true);
    for (const [i, each] of descriptors.entries()) {
      control.setInt32(CONTROL_HEADER + 4 * i, each, true);
    }
    for (;;) {
      if (libc.sendmsg(fd, this.#message, MSG_NOSIGNAL) >= 0) return 0;
      const error = errno();
      if (error !== EINTR) return error;
    }
  }
}

/** Receives messages with descriptors. */
export class MessageReceiver {
  readonly #host: LibcHost;
  readonly #message: Bytes = new Uint8Array(MESSAGE.size);
  readonly #view = new DataView(this.#message.buffer as ArrayBuffer);
  readonly #vectors = new IoVectors(1);
  readonly #control: Bytes = new Uint8Array(CONTROL_HEADER + 4 * MAX_DESCRIPTORS);
  readonly #bytes: Bytes;

  /** `size` is the size of the largest message in bytes. */
  constructor(host: LibcHost, size: number) {
    this.#host = host;
    this.#bytes = new Uint8Array(size);
    const { addressOf } = host;
    this.#vectors.set(0, addressOf(this.#bytes), size);
    this.#view.setBigUint64(MESSAGE.vectors, BigInt(addressOf(this.#vectors.bytes)), true);
    this.#view.setBigUint64(MESSAGE.vectorCount, 1n, true);
    this.#view.setBigUint64(MESSAGE.control, BigInt(addressOf(this.#control)), true);
  }

  /** The next message, or `undefined` if none has arrived. A socket that has failed counts as closed. */
  receive(fd: number): ReceivedMessage | undefined {
    const { libc, errno } = this.#host;
    for (;;) {
      this.#view.setBigUint64(MESSAGE.controlSize, BigInt(this.#control.length), true);
      const length = libc.recvmsg(fd, this.#message, MSG_CMSG_CLOEXEC);
      if (length >= 0) {
        return { bytes: this.#bytes.subarray(0, length), descriptors: this.#descriptors() };
      }
      const error = errno();
      if (error === EINTR) continue;
      return error === EAGAIN ? undefined : { bytes: this.#bytes.subarray(0, 0), descriptors: [] };
    }
  }

  #descriptors(): number[] {
    const size = Number(this.#view.getBigUint64(MESSAGE.controlSize, true));
    if (size < CONTROL_HEADER || readInt(this.#control, 12) !== SCM_RIGHTS) return [];
    const all: number[] = [];
    const end = Number(new DataView(this.#control.buffer).getBigUint64(0, true));
    for (let at = CONTROL_HEADER; at + 4 <= end; at += 4) all.push(readInt(this.#control, at));
    if ((this.#view.getInt32(MESSAGE.flags, true) & MSG_CTRUNC) === 0) return all;
    for (const each of all) this.#host.libc.close(each);
    return [];
  }
}
