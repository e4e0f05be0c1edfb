/**
 * Code that must type-check everywhere: a socket is a WinterTC `Socket` (Sockets API, section 4),
 * apart from TLS. Nothing runs.
 *
 * @module
 */
import type { ConnectOptions, SocketAddress, Stack, TcpSocket } from "../../mod.ts";

/** The interface in the specification. */
interface Socket {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<undefined>;
  close(reason?: unknown): Promise<undefined>;
  readonly upgraded: boolean;
}

interface SocketInfo {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly alpn: string | null;
}

type AnySocketAddress = { hostname: string; port: number } | string;

/** A socket implements it. */
export function asSocket(socket: TcpSocket): Socket {
  return socket;
}

/** `connect` accepts the arguments of the specification's. */
export function connect(stack: Stack, address: AnySocketAddress): Socket {
  const taken: SocketAddress = address;
  const options: ConnectOptions = { allowHalfOpen: false };
  return stack.connect(taken, options);
}

/** Byte streams pipe into each other. */
export function pipe(from: TcpSocket, to: TcpSocket): Promise<void> {
  return from.readable.pipeTo(to.writable);
}
