import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { type Clock, systemClock } from "../../../../core/api/environment.ts";
import { MAX_OWNERS } from "../../../../core/api/runtime/owner_notifier.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { settle } from "../../../support/fake_socket.ts";

const MANY = 200;

describe("a stack", () => {
  // Two hundred connections of one client get data in one burst, and then one of another client. Each
  // handler takes 10 ms, so after the first turn one is notified at a time: the other client's is among the
  // next.
  test("notifies the handlers of different clients in turn", async () => {
    const [here, there] = linkPair();
    let busy = 0;
    const clock: Clock = {
      now: () => systemClock.now() + busy,
      schedule: (at, run) => systemClock.schedule(at - busy, run),
    };
    const server = createStack({ link: here, addresses: ["10.0.0.1/24"], clock });
    const client = createStack({ link: there, addresses: ["10.0.0.2/24", "10.0.0.9/24"] });
    const order: string[] = [];
    const done = Promise.withResolvers<void>();
    server.use(7, async ({ socket }) => {
      const chunk = new Uint8Array(1);
      await socket.write(chunk);
      await socket.read(chunk);
      order.push(socket.remoteAddr.hostname);
      busy += 10;
      if (order.length > MANY) done.resolve();
    });
    const connect = async (localHostname: string) => {
      const socket = client.connect("10.0.0.1:7", { localHostname });
      socket.closed.catch(() => {});
      await socket.read(new Uint8Array(1));
      return socket;
    };
    const sockets = await Promise.all(Array.from({ length: MANY }, () => connect("10.0.0.2")));
    sockets.push(await connect("10.0.0.9"));
    await settle();
    for (const socket of sockets) socket.tryWrite(new Uint8Array(1));
    await done.promise;
    expect(order.indexOf("10.0.0.9")).toBeLessThan(MAX_OWNERS + 20);
    for (const socket of sockets) socket.abort();
    await Promise.all([server.close(), client.close()]);
  });
});
