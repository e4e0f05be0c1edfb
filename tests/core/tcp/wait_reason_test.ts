import { describe, expect, test } from "bun:test";
import { impair } from "../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Handler, Stack, TcpSocket } from "../../../core/api/types.ts";

/** A client and a server on a path with an RTT of 40 ms; `handler` serves port 7. */
class Network implements AsyncDisposable {
  readonly clock = new VirtualClock(1000);
  readonly client: Stack;
  readonly server: Stack;
  readonly path: ReturnType<typeof impair>;

  constructor(handler: Handler, tcp: { congestion?: "cubic" | "bbr"; noDelay?: boolean } = {}) {
    const { clock } = this;
    const [here, there] = linkPair({ queue: 10_000 });
    this.path = impair(here, { clock, seed: 1, delayMs: 20, incoming: { delayMs: 20 } });
    const options = { clock, tcp: { profile: "internet" as const, ...tcp } };
    this.client = createStack({ link: this.path, addresses: ["10.0.0.1/24"], ...options });
    this.server = createStack({ link: there, addresses: ["10.0.0.2/24"], ...options });
    this.server.use(7, handler);
  }

  async connect(): Promise<TcpSocket> {
    const socket = this.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await this.clock.runUntil(socket.opened);
    await this.clock.advance(100);
    return socket;
  }

  get waits(): string[] {
    return [this.client, this.server].map((stack) => stack.connections()[0]?.waitsFor ?? "none");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client.close(), this.server.close()]);
  }
}

const reads: Handler = async ({ socket }) => {
  for await (const chunk of socket.views()) void chunk;
};
const never: Handler = () => new Promise(() => {});

describe("waitsFor", () => {
  // Nothing answers the SYN.
  test("is the handshake until it is complete", async () => {
    await using network = new Network(reads);
    network.path.replace({ loss: 1 });
    network.client.connect("10.0.0.2:7").closed.catch(() => {});
    await network.clock.advance(10);
    expect(network.waits).toEqual(["handshake", "none"]);
  });

  // The client does nothing; the server's handler reads.
  test("is the peer or the handler while the connection is idle", async () => {
    await using network = new Network(reads);
    const socket = await network.connect();
    expect(network.waits).toEqual(["handler", "peer"]);
    socket.read(new Uint8Array(1)).catch(() => {});
    expect(network.waits).toEqual(["peer", "peer"]);
  });

  // A handler does not read: first its own side shows it, then the peer waits for the window.
  test("is the reader, and on the other side the window", async () => {
    await using network = new Network(never);
    const socket = await network.connect();
    await network.clock.runUntil(socket.write(new Uint8Array(100)));
    await network.clock.advance(500);
    expect(network.waits).toEqual(["handler", "reader"]);
    socket.write(new Uint8Array(50_000_000)).catch(() => {});
    await network.clock.advance(10_000);
    expect(network.waits).toEqual(["window", "reader"]);
  });

  // The data is on its way to the peer.
  test("is the acknowledgement of what was sent", async () => {
    await using network = new Network(reads);
    const socket = await network.connect();
    await network.clock.runUntil(socket.write(new Uint8Array(100)));
    await network.clock.advance(5);
    expect(network.waits[0]).toBe("acknowledgement");
  });

  // The transfer is larger than the initial window.
  test("is the congestion window of a transfer that has just begun", async () => {
    await using network = new Network(reads);
    const socket = await network.connect();
    await network.clock.runUntil(socket.write(new Uint8Array(60_000)));
    await network.clock.advance(5);
    expect(network.waits[0]).toBe("congestion-window");
  });

  // BBR spreads segments over the round trip.
  test("is pacing with BBR", async () => {
    await using network = new Network(reads, { congestion: "bbr" });
    const socket = await network.connect();
    const seen = new Set<string>();
    socket.write(new Uint8Array(10_000_000)).catch(() => {});
    for (let i = 0; i < 300; i++) {
      await network.clock.advance(1);
      seen.add(network.waits[0]!);
    }
    expect(seen).toContain("pacing");
  });

  // The path is gone.
  test("is a retransmission after a timeout", async () => {
    await using network = new Network(reads);
    const socket = await network.connect();
    network.path.replace({ loss: 1 });
    await network.clock.runUntil(socket.write(new Uint8Array(100)));
    await network.clock.advance(3000);
    expect(network.waits[0]).toBe("retransmission");
  });

  // The client has closed its side, the server's handler has not finished.
  test("is the peer's FIN after this side's", async () => {
    await using network = new Network(never);
    const socket = await network.connect();
    await network.clock.runUntil(socket.closeWrite());
    await network.clock.advance(500);
    expect(network.waits).toEqual(["close", "handler"]);
  });

  // Both sides have closed.
  test("is the end of TIME-WAIT", async () => {
    await using network = new Network(reads);
    const socket = await network.connect();
    await network.clock.runUntil(socket.closeWrite());
    await network.clock.advance(500);
    expect(network.client.connections()[0]?.waitsFor).toBe("time-wait");
  });
});
