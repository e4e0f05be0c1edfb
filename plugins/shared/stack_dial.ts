/**
 * Dials through a stack.
 *
 * @module
 */
import type { HostPort } from "../../core/api/host_port.ts";
import type { ConnectOptions, Stack, TcpSocket } from "../../core/api/types.ts";

/**
 * Connects through a stack; gives up when `signal` is aborted. Once connected, `signal` is ignored:
 * even if the client has disconnected, its bytes are still delivered.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export async function dialStack(
  stack: Pick<Stack, "connect">,
  to: HostPort,
  signal: AbortSignal,
  from: Pick<ConnectOptions, "localHostname" | "localPort"> = {},
): Promise<TcpSocket> {
  const opening = new AbortController();
  const onAbort = () => opening.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    const socket = stack.connect(to, { ...from, allowHalfOpen: true, signal: opening.signal });
    await socket.opened;
    return socket;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
