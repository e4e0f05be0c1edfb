/**
 * What must type-check on Deno: sockets and listeners are Deno's own. Nothing runs. The ending keeps
 * it away from `tsc`, which does not know Deno; `deno check .` looks at it.
 *
 * @module
 */
import type { DatagramConn, TcpListener, TcpSocket } from "../../mod.ts";

/** A socket goes wherever a connection of Deno's goes. */
export function asConnection(socket: TcpSocket): Deno.TcpConn {
  return socket;
}

/** So does a listener. */
export function asListener(listener: TcpListener): Deno.Listener<TcpSocket, Deno.NetAddr> {
  return listener;
}

/** A UDP socket has all of Deno's but the multicast groups. */
export function asDatagramConn(
  conn: DatagramConn,
): Omit<Deno.DatagramConn, "joinMulticastV4" | "joinMulticastV6"> {
  return conn;
}

/** What Deno's has received says whom to answer. */
export function answer(conn: DatagramConn, data: Uint8Array, from: Deno.NetAddr): Promise<number> {
  return conn.send(data, from);
}
