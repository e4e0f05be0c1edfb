/**
 * Errors that the network reports about datagrams of a UDP socket, with IP_RECVERR and IPV6_RECVERR (ip(7), ipv6(7)).
 * Without these options, the kernel reports no errors to a socket that is not connected.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import {
  AF_INET6,
  type Bytes,
  ECONNREFUSED,
  EHOSTUNREACH,
  EINTR,
  IoVectors,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVERR,
  MSG_ERRQUEUE,
  readInt,
} from "../../runtime/libc/linux.ts";
import { CONTROL_HEADER, MESSAGE } from "./descriptor_messages.ts";
import { hostPortOf, MAX_IP_ADDRESS_SIZE } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Maximum number of errors taken at a time; the kernel reports the rest with the next call on the socket. */
const MAX_ERRORS = 64;
/** A control message with `struct sock_extended_err` and the address of the host that has reported the error. */
const CONTROL_SIZE = 256;

/** Makes the kernel queue errors for {@link ErrorQueue.take}, which has to be called from then on. */
export function keepErrors(sockets: NativeSockets, fd: number, family: number): void {
  const [level, name] = family === AF_INET6
    ? [IPPROTO_IPV6, IPV6_RECVERR]
    : [IPPROTO_IP, IP_RECVERR];
  sockets.setOption(fd, level!, name!, 1);
}

/** Reads the errors of sockets. */
export class ErrorQueue {
  readonly #host: LibcHost;
  readonly #message: Bytes = new Uint8Array(MESSAGE.size);
  readonly #view = new DataView(this.#message.buffer as ArrayBuffer);
  readonly #name: Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
  readonly #control: Bytes = new Uint8Array(CONTROL_SIZE);
  /** The buffer for the beginning of the datagram, which is not used. */
  readonly #payload: Bytes = new Uint8Array(8);
  readonly #vectors = new IoVectors(1);

  constructor(host: LibcHost) {
    this.#host = host;
    const { addressOf } = host;
    this.#vectors.set(0, addressOf(this.#payload), this.#payload.length);
    this.#view.setBigUint64(MESSAGE.name, BigInt(addressOf(this.#name)), true);
    this.#view.setBigUint64(MESSAGE.vectors, BigInt(addressOf(this.#vectors.bytes)), true);
    this.#view.setBigUint64(MESSAGE.vectorCount, 1n, true);
    this.#view.setBigUint64(MESSAGE.control, BigInt(addressOf(this.#control)), true);
  }

  /**
   * Takes up to {@link MAX_ERRORS} errors; calls `onRefused` with the destination of each datagram that could not be
   * delivered.
   */
  take(fd: number, onRefused: (to: HostPort) => void): void {
    const { libc, errno } = this.#host;
    for (let count = 0; count < MAX_ERRORS; count++) {
      this.#view.setUint32(MESSAGE.nameSize, this.#name.length, true);
      this.#view.setBigUint64(MESSAGE.controlSize, BigInt(this.#control.length), true);
      if (libc.recvmsg(fd, this.#message, MSG_ERRQUEUE) < 0) {
        if (errno() === EINTR) continue;
        return;
      }
      // The first field of `struct sock_extended_err` is the error number.
      const error = readInt(this.#control, CONTROL_HEADER);
      if (error !== ECONNREFUSED && error !== EHOSTUNREACH) continue;
      const to = hostPortOf(this.#name);
      if (to !== undefined) onRefused(to);
    }
  }
}
