/**
 * Relays datagrams between two channels.
 *
 * @module
 */
import { endFlow } from "../../core/api/udp/flow_refusal.ts";
import type { DatagramChannel } from "./host_network.ts";

/**
 * Relays datagrams in both directions, each in order, until either side has ended, and closes
 * both. A datagram that cannot be sent is lost, as on any network. There is no idle timeout here; a
 * flow of the stack has one. If one side fails because its peer is unreachable
 * (`CONNECTION_REFUSED`, `UNREACHABLE`), `refuse` of the other side is called, if there is one, as
 * flows have.
 *
 * Resolves with the number of datagrams that could not be sent.
 *
 * @throws {TcpError} The error with which one side has ended.
 *
 * @example
 * ```ts
 * import { type FlowContext, relayDatagrams } from "@berth/berth";
 *
 * // For stack.use("udp/53", { name: "resolver", flow: resolver }).
 * async function resolver({ flow, stack }: FlowContext) {
 *   const socket = stack.listenDatagram({ port: 0 });
 *   await relayDatagrams(flow, {
 *     receive: async () => (await socket.receive())[0],
 *     send: (datagram) => socket.send(datagram, "10.0.0.9:53"),
 *     close: () => socket.close(),
 *   });
 * }
 *
 * export default resolver;
 * ```
 */
export async function relayDatagrams(a: DatagramChannel, b: DatagramChannel): Promise<number> {
  const closeBoth = () => {
    endFlow(a, failure);
    endFlow(b, failure);
  };
  const carried = [carry(a, b), carry(b, a)];
  let failure: unknown;
  const ends = carried.map((direction) =>
    direction.catch((error: unknown) => {
      failure ??= error;
      return 0;
    }).finally(closeBoth)
  );
  // Errors of the other side after it was closed do not count.
  await Promise.race(ends);
  const reason = failure;
  const lost = await Promise.all(ends);
  if (reason !== undefined) throw reason;
  return lost.reduce((sum, each) => sum + each, 0);
}

/** Resolves at the end of `from`. */
async function carry(from: DatagramChannel, to: DatagramChannel): Promise<number> {
  let lost = 0;
  for (let next = await from.receive(); next !== null; next = await from.receive()) {
    await to.send(next).catch(() => lost++);
  }
  return lost;
}
