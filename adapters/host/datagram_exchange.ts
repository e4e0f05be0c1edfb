/**
 * One datagram to a server of the host's network, and its answer.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import type { HostPort } from "../../core/api/host_port.ts";
import { hostError } from "./connection.ts";

/**
 * Sends a datagram from a port of its own; resolves with the first one that the server sends back
 * and `accepts` takes.
 *
 * @throws {TcpError} Nobody is there, or there is no way to it.
 * @throws The reason of `signal` when that is aborted.
 */
export function exchangeDatagram(
  { hostname, port }: HostPort,
  query: Uint8Array,
  accepts: (reply: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      // What is still on its way to a closed socket is nobody's.
      socket.on("error", () => {});
      socket.close();
      settle();
    };
    const giveUp = () => end(() => reject(signal.reason));
    signal.addEventListener("abort", giveUp);
    socket.on("error", (error) => end(() => reject(hostError(error))));
    // Connected, so that the kernel takes datagrams of the server alone and tells of its errors.
    socket.connect(port, hostname, () => socket.send(query));
    socket.on("message", (reply: Uint8Array) => {
      if (accepts(reply)) end(() => resolve(new Uint8Array(reply)));
    });
  });
}
