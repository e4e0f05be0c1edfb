import type { NetAddr, TcpSocket } from "../../../core/api/types.ts";
import { bytes, readText, type StackPair } from "../../core/api/stack_pair.ts";

/** A connection of the pair's client to a port of its server. */
export function dial(pair: StackPair, port: number, localPort?: number): TcpSocket {
  const options = localPort === undefined ? {} : { localPort };
  const address = { hostname: "10.0.0.2", port };
  return pair.client.connect(address, { allowHalfOpen: true, ...options });
}

/** Sends a text and its end; resolves with the whole answer. */
export async function ask(pair: StackPair, port: number, text: string): Promise<string> {
  const client = dial(pair, port);
  await client.write(bytes(text));
  await client.closeWrite();
  return await pair.run(readText(client));
}

/** Bytes up to the peer's end. */
export async function countBytes(socket: AsyncIterable<Uint8Array>): Promise<number> {
  let count = 0;
  for await (const chunk of socket) count += chunk.length;
  return count;
}

/** An address with the port that no test looks at. */
export function from(hostname: string): NetAddr {
  return { transport: "tcp", hostname, port: 50_000 };
}

/** Timers that are left when the stacks, which have timers of their own, are closed. */
export async function timersLeft(pair: StackPair): Promise<number> {
  await pair[Symbol.asyncDispose]();
  return pair.clock.pending;
}
