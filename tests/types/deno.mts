/**
 * Code that must type-check on Deno: sockets and listeners are compatible with Deno's. Nothing
 * runs. The file extension hides it from `tsc`, which does not know Deno; `deno check .` checks it.
 *
 * @module
 */
import type { DatagramConn, TcpListener, TcpSocket } from "../../mod.ts";

/** A socket can be used as a `Deno.TcpConn`. */
export function asConnection(socket: TcpSocket): Deno.TcpConn {
  return socket;
}

/** A listener can be used as a Deno listener. */
export function asListener(listener: TcpListener): Deno.Listener<TcpSocket, Deno.NetAddr> {
  return listener;
}

/** A UDP socket has all members of Deno's except for multicast groups. */
export function asDatagramConn(
  conn: DatagramConn,
): Omit<Deno.DatagramConn, "joinMulticastV4" | "joinMulticastV6"> {
  return conn;
}

/** Deno's receive() returns the address to answer to. */
export function answer(conn: DatagramConn, data: Uint8Array, from: Deno.NetAddr): Promise<number> {
  return conn.send(data, from);
}
