/**
 * TCP and Unix connections through the host's kernel.
 *
 * @module
 */
import { connect } from "node:net";
import type { CancelSignal } from "../../core/api/runtime/cancellation.ts";
import type { DialOptions, DialTarget } from "../../plugins/shared/host_network.ts";
import { HostConnection, hostError } from "./connection.ts";
import { descriptorFault } from "./descriptors.ts";

/**
 * Connects through the host's kernel.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export function dialHost(
  target: DialTarget,
  signal?: CancelSignal,
  { keepAliveMs }: DialOptions = {},
): Promise<HostConnection> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const place = "path" in target ? target : { host: target.hostname, port: target.port };
    const socket = connect({ ...place, allowHalfOpen: true });
    const onAbort = () => {
      socket.destroy();
      reject(signal?.reason);
    };
    const fail = (error: Error & { code?: string }) => {
      signal?.removeEventListener("abort", onAbort);
      // Without a descriptor for the socket, Bun reports ECONNREFUSED.
      const fault = error.code === "ECONNREFUSED" ? descriptorFault() : undefined;
      reject(hostError(fault ? Object.assign(error, { code: fault }) : error));
    };
    signal?.addEventListener("abort", onAbort);
    socket.once("error", fail);
    // An unhandled second error, such as that of a cancelled attempt, would end the process.
    socket.on("error", () => {});
    socket.once("connect", () => {
      signal?.removeEventListener("abort", onAbort);
      socket.removeListener("error", fail);
      resolve(new HostConnection(socket, { keepAliveMs }));
    });
  });
}
