/**
 * What must type-check on Deno: sockets and listeners are Deno's own. Nothing runs. The ending keeps
 * it away from `tsc`, which does not know Deno; `deno check .` looks at it.
 *
 * @module
 */
import type { TcpListener, TcpSocket } from "../../mod.ts";

/** A socket goes wherever a connection of Deno's goes. */
export function asConnection(socket: TcpSocket): Deno.TcpConn {
  return socket;
}

/** So does a listener. */
export function asListener(listener: TcpListener): Deno.Listener<TcpSocket, Deno.NetAddr> {
  return listener;
}
