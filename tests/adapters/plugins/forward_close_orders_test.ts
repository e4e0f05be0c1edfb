import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { HostConnection } from "../../../adapters/host/connection.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { forward } from "../../../adapters/plugins/forward.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { Dice } from "../../fuzz/dice.ts";
import {
  type Ending,
  judge,
  planConnection,
  playSide,
  type SidePlan,
  type SideResult,
} from "../../sim/forward/close_orders.ts";
import { readHeader } from "../../sim/forward/header.ts";

const CONNECTIONS = 400;
const AT_ONCE = 40;
const FIRST_PORT = 20_000;
const ENDINGS: readonly Ending[] = ["leaves", "resets-writing", "resets-reading"];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const dice = new Dice(1);
const pause = () => setImmediate();

function play(connection: Duplex, plan: SidePlan, peer: SidePlan): Promise<SideResult> {
  return playSide(connection, plan, peer, pause, (share) => dice.chance(share));
}

describe("connections forwarded to the host in random close orders", () => {
  // The servers use the runtime's sockets on the kernel's loopback device.
  test(`${CONNECTIONS} of them lose no byte and no half-close (RFC 9293 3.6)`, async () => {
    const plans = Array.from({ length: CONNECTIONS }, (_, i) => planConnection(i, dice, ENDINGS));
    const served = plans.map(() => Promise.withResolvers<SideResult>());
    const begun = new Set<number>();
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      const connection = new HostConnection(socket);
      const port = await readHeader(connection);
      if (typeof port !== "number") return;
      const index = port - FIRST_PORT;
      const { client, upstream } = plans[index]!;
      begun.add(index);
      served[index]!.resolve(await play(connection, upstream, client));
    });
    await new Promise<void>((done) => server.listen({ host: "127.0.0.1", port: 0 }, done));
    cleanups.push(() => void server.close());
    const { port } = server.address() as { port: number };

    const [here, there] = linkPair({ mtu: 1500, queue: 4096 });
    const front = createStack({ link: here, addresses: ["10.7.0.2/24"] });
    const clients = createStack({ link: there, addresses: ["10.7.0.1/24"] });
    cleanups.push(() => front.close(), () => clients.close());
    front.use(80, forward({ to: `127.0.0.1:${port}`, proxyProtocol: 2 }));

    const faults: string[] = [];
    const playOne = async (index: number) => {
      const plan = plans[index]!;
      const options = { allowHalfOpen: true, localPort: FIRST_PORT + index };
      const socket = clients.connect("10.7.0.2:80", options);
      await socket.opened;
      const client = await play(socket, plan.client, plan.upstream);
      // Data of a client that resets may never reach its server, including the header.
      if (plan.client.ending.startsWith("resets") && !begun.has(index)) return;
      const fault = judge(plan, client, await served[index]!.promise);
      if (fault !== undefined) faults.push(`connection ${index}: ${fault}`);
    };
    let next = 0;
    const worker = async () => {
      while (next < plans.length) await playOne(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(faults.slice(0, 3)).toEqual([]);
  }, 60_000);
});
