/**
 * A forwarder that changes bytes: lower-case letters from the client reach the server as capitals; responses are
 * unchanged. Here both the forwarder and the server run in one process.
 *
 *     deno run -A examples/rewriting_forwarder.ts
 *
 * @module
 */
import { createStack, type Handler, type TcpSocket } from "@berth/berth";
import { linkPair } from "@berth/berth/links";
import { echo } from "@berth/berth/plugins";

/** Forwards to `address`, reached through the same stack, with each byte changed by `change`. */
export function rewritingForwarder(address: string, change: (byte: number) => number): Handler {
  return async ({ socket, stack }) => {
    await using target = stack.connect(address, { allowHalfOpen: true });
    await Promise.all([copy(socket, target, change), copy(target, socket, (byte) => byte)]);
  };
}

/**
 * Half-closes `to` at the end of `from`, so that the response to a complete request still arrives.
 */
async function copy(
  from: TcpSocket,
  to: TcpSocket,
  change: (byte: number) => number,
): Promise<void> {
  for await (const chunk of from) await to.write(chunk.map(change));
  await to.closeWrite();
}

/** RFC 20: capitals are 32 below the letters. */
export function toUpperCase(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte;
}

if (import.meta.main) {
  const [left, right] = linkPair();
  await using server = createStack({ link: left, addresses: ["10.0.0.1/24"] });
  server.use(7, echo());

  await using middle = createStack({ link: right, addresses: ["10.0.0.2/24", "10.0.0.3/24"] });
  middle.use(9000, rewritingForwarder("10.0.0.1:7", toUpperCase));

  await using client = server.connect("10.0.0.3:9000", { allowHalfOpen: true });
  await client.write(new TextEncoder().encode("ahoy"));
  await client.closeWrite();
  for await (const chunk of client) console.log(new TextDecoder().decode(chunk)); // AHOY
}
