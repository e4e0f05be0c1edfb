/**
 * What must type-check everywhere: a socket is a WinterTC `Socket` (Sockets API, section 4), as far
 * as one without TLS can be. Nothing runs.
 *
 * @module
 */
import type { ConnectOptions, SocketAddress, Stack, TcpSocket } from "../../mod.ts";

/** The interface of the specification's text. */
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

/** A socket is one. */
export function asSocket(socket: TcpSocket): Socket {
  return socket;
}

/** `connect` takes what the specification's takes. */
export function connect(stack: Stack, address: AnySocketAddress): Socket {
  const taken: SocketAddress = address;
  const options: ConnectOptions = { allowHalfOpen: false };
  return stack.connect(taken, options);
}

/** Byte streams pipe into each other. */
export function pipe(from: TcpSocket, to: TcpSocket): Promise<void> {
  return from.readable.pipeTo(to.writable);
}
