import type { Plugin, TcpSocket } from "../../../core/api/types.ts";
import { bytes, readText, type StackPair } from "../../core/api/stack_pair.ts";

/** A connection of the pair's client to a port of its server. */
export function dial(pair: StackPair, port: number, localPort?: number): TcpSocket {
  const options = localPort === undefined ? {} : { localPort };
  const address = { hostname: "10.0.0.2", port };
  return pair.client.connect(address, { allowHalfOpen: true, ...options });
}

/** Sends a text and half-closes; resolves with the whole answer. */
export async function ask(pair: StackPair, port: number, text: string): Promise<string> {
  const client = dial(pair, port);
  await client.write(bytes(text));
  await client.closeWrite();
  return await pair.run(readText(client));
}

/** Reads up to the peer's FIN. */
export async function countBytes(socket: AsyncIterable<Uint8Array>): Promise<number> {
  let count = 0;
  for await (const chunk of socket) count += chunk.length;
  return count;
}

/** Number of timers left after the stacks are closed. */
export async function timersLeft(pair: StackPair): Promise<number> {
  await pair[Symbol.asyncDispose]();
  return pair.clock.pending;
}

/** Echoes the datagrams of a flow. */
export const echoFlow: Plugin = {
  name: "echoFlow",
  async flow({ flow }) {
    for await (const datagram of flow) await flow.send(datagram);
  },
};

/**
 * Outcome of a connection attempt within half a second: `"open"`, `"silence"`, or an error code.
 */
export async function attempt(pair: StackPair, address: string): Promise<string> {
  const client = pair.client.connect(address, { allowHalfOpen: true });
  let outcome = "silence";
  client.opened.then(() => outcome = "open", (error: { code: string }) => outcome = error.code);
  await pair.clock.advance(500);
  if (outcome === "silence") client.abort();
  return outcome;
}

/** Whether a datagram from a new port is answered. */
export async function isAnswered(pair: StackPair, address: string): Promise<boolean> {
  using conn = pair.client.listenDatagram({ port: 0 });
  let answered = false;
  conn.receive().then(() => answered = true, () => {});
  await conn.send(bytes("ahoy"), address);
  await pair.clock.advance(50);
  return answered;
}
