/**
 * Connections to TCP addresses of the host and of what it reaches.
 *
 * @module
 */
import { connect } from "node:net";
import type { HostPort } from "../../core/api/host_port.ts";
import { HostConnection, hostError } from "./connection.ts";

/**
 * Connects through the host's kernel.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export function dialHost(
  { hostname, port }: HostPort,
  signal?: AbortSignal,
): Promise<HostConnection> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const socket = connect({ host: hostname, port, allowHalfOpen: true });
    const giveUp = () => {
      socket.destroy();
      reject(signal?.reason);
    };
    const fail = (error: Error) => {
      signal?.removeEventListener("abort", giveUp);
      reject(hostError(error));
    };
    signal?.addEventListener("abort", giveUp);
    socket.once("error", fail);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", giveUp);
      socket.removeListener("error", fail);
      resolve(new HostConnection(socket));
    });
  });
}
