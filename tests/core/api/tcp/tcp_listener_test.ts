import { describe, expect, test } from "bun:test";
import type { ListenOptions, Syn, TcpListener } from "../../../../core/api/types.ts";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

describe("a listener", () => {
  // Three clients connect before accept() is called.
  test("accept returns connections in the order of establishment", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const clients = [0, 1, 2].map(() => pair.client.connect("10.0.0.2:80"));
    await pair.run(Promise.all(clients.map((client) => client.opened)));
    for (const client of clients) {
      expect((await listener.accept()).remoteAddr).toEqual(client.localAddr);
    }
  });

  // A client sends data and resets before accept() is called: the data is not lost.
  test("accept returns a connection that was reset before (RFC 9293 3.10.7.4, second)", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const client = pair.client.connect("10.0.0.2:80");
    await pair.run(client.opened);
    await client.write(bytes("last words"));
    await pair.clock.advance(10);
    client.abort();
    await pair.clock.advance(10);
    const socket = await listener.accept();
    expect(socket.remoteAddr).toEqual(client.localAddr);
    const target = new Uint8Array(20);
    expect(await socket.read(target)).toBe(10);
    expect(target.subarray(0, 10)).toEqual(bytes("last words"));
    expect(await codeOf(socket.read(target))).toBe("CONNECTION_RESET");
    expect(await codeOf(socket.write(bytes("x")))).toBe("CONNECTION_RESET");
    expect(await codeOf(socket.closed)).toBe("CONNECTION_RESET");
  });

  // Resources acquired in onSyn can be released in either case.
  test("onSyn's signal is aborted when a reset connection is accepted, or cannot be", async () => {
    await using pair = new StackPair();
    const signals: AbortSignal[] = [];
    const onSyn = ({ signal }: Syn) => signals.push(signal) > 0;
    const listener = pair.server.listen({ port: 80, onSyn });
    for (let i = 0; i < 2; i++) {
      const client = pair.client.connect("10.0.0.2:80");
      await pair.run(client.opened);
      client.abort();
      await pair.clock.advance(10);
    }
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    const socket = await listener.accept();
    expect(await codeOf(socket.closed)).toBe("CONNECTION_RESET");
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    listener.close();
    await pair.clock.advance(10);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  // Pending accepts are served in order, and all reject at the end.
  test("accept waits, and rejects with LISTENER_CLOSED when the listener is closed", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const waiting = [listener.accept(), listener.accept(), listener.accept()];
    const ended = codeOf(waiting[2]!);
    const clients = [0, 1].map(() => pair.client.connect("10.0.0.2:80"));
    const servers = await pair.run(Promise.all(waiting.slice(0, 2)));
    expect(servers.map((one) => one.remoteAddr)).toEqual(clients.map((one) => one.localAddr));
    listener.close();
    expect(await ended).toBe("LISTENER_CLOSED");
    expect(await codeOf(listener.accept())).toBe("LISTENER_CLOSED");
    listener.close();
  });

  // The listener is closed in every possible way.
  test("iteration ends when the listener is closed", async () => {
    await using pair = new StackPair();
    const abort = new AbortController();
    const ways: [TcpListener, () => void][] = [
      [pair.server.listen({ port: 80 }), () => ways[0]![0].close()],
      [pair.server.listen({ port: 81 }), () => ways[1]![0][Symbol.dispose]()],
      [pair.server.listen({ port: 82, signal: abort.signal }), () => abort.abort()],
    ];
    for (const [listener, end] of ways) {
      const seen = (async () => {
        let count = 0;
        for await (const socket of listener) {
          void socket.close();
          count++;
        }
        return count;
      })();
      const client = pair.client.connect({ hostname: "10.0.0.2", port: listener.addr.port });
      await pair.run(client.opened);
      await pair.clock.settle();
      end();
      expect(await pair.run(seen)).toBe(1);
      // The port can be bound again.
      pair.server.listen({ port: listener.addr.port }).close();
    }
  });

  // One signal may be used for any number of listeners in sequence.
  test("removes its handler from the signal", async () => {
    await using pair = new StackPair();
    const { signal } = new AbortController();
    let listening = 0;
    const count = (name: "addEventListener" | "removeEventListener", by: number) => {
      const original = signal[name].bind(signal);
      Object.assign(signal, {
        [name]: (type: string, listener: () => void) => {
          listening += by;
          original(type, listener);
        },
      });
    };
    count("addEventListener", 1);
    count("removeEventListener", -1);
    for (let i = 0; i < 3; i++) pair.server.listen({ port: 80, signal }).close();
    expect(listening).toBe(0);
    using _open = pair.server.listen({ port: 80, signal });
    expect(listening).toBe(1);
  });

  // Ten clients connect to a small backlog. Half-open and established connections count separately,
  // since a SYN cookie may add one more (RFC 4987 3.6). The other clients get through once there is
  // room.
  test("holds at most twice its backlog of connections not accepted", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80, tcpBacklog: 2 });
    const clients = Array.from({ length: 10 }, () => pair.client.connect("10.0.0.2:80"));
    for (const client of clients) void client.write(bytes("patient"));
    await pair.clock.advance(500);
    expect(pair.server.stats().connections).toBeLessThanOrEqual(4);
    const ports = new Set<number>();
    while (ports.size < clients.length) {
      const server = await pair.run(listener.accept());
      ports.add(server.remoteAddr.port);
      expect(await pair.run(server.read(new Uint8Array(10)))).toBe(7);
    }
    expect(ports).toEqual(new Set(clients.map((client) => client.localAddr.port)));
  });

  // One client fills the queue of a program that is slow to accept. Another client's handshake is
  // answered with a cookie, whose ACK resets the oldest of the first; a SYN alone resets nothing.
  test("resets a connection of the client with the most for another client", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80, tcpBacklog: 8 });
    const hoard = Array.from({ length: 20 }, () => pair.client.connect("10.0.0.2:80"));
    for (const { closed } of hoard) closed.catch(() => {});
    await pair.clock.advance(500);
    pair.client.addAddress("10.0.0.9/24");
    const other = pair.client.connect("10.0.0.2:80", { localHostname: "10.0.0.9" });
    await pair.run(other.write(bytes("hello")));
    await pair.clock.advance(10);
    expect(hoard.filter(({ state }) => state === "CLOSED").length).toBe(1);
    expect(pair.server.stats().readyEvicted).toBe(1);
    const hostnames: string[] = [];
    for (let i = 0; i < 16; i++) {
      hostnames.push((await pair.run(listener.accept())).remoteAddr.hostname);
    }
    expect(hostnames.filter((hostname) => hostname === "10.0.0.9")).toEqual(["10.0.0.9"]);
  });

  // Each client has one connection; the first ones stay.
  test("resets nothing for one client too many", async () => {
    await using pair = new StackPair();
    pair.server.listen({ port: 80, tcpBacklog: 2 });
    const clients = [11, 12, 13, 14, 15].map((last) => {
      pair.client.addAddress(`10.0.0.${last}/24`);
      return pair.client.connect("10.0.0.2:80", { localHostname: `10.0.0.${last}` });
    });
    await pair.clock.advance(500);
    expect(pair.server.stats().readyEvicted).toBe(0);
    expect(clients.every(({ state }) => state !== "CLOSED")).toBe(true);
  });

  // close(lsn_fd) in the diagram of profile local: RST.
  test("close resets connections not accepted", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const client = pair.client.connect("10.0.0.2:80");
    await pair.run(client.opened);
    listener.close();
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_RESET");
    expect(pair.server.stats().connections).toBe(0);
  });

  // A single address is more specific than the wildcard.
  test("listens on one address or on all", async () => {
    await using pair = new StackPair();
    const all = pair.server.listen({ port: 80 });
    const one = pair.server.listen({ port: 80, hostname: "fd00::2" });
    expect(all.addr).toEqual({ transport: "tcp", hostname: "0.0.0.0", port: 80 });
    expect(one.addr).toEqual({ transport: "tcp", hostname: "fd00::2", port: 80 });
    pair.client.connect("10.0.0.2:80");
    pair.client.connect("[fd00::2]:80");
    expect((await pair.run(all.accept())).localAddr.hostname).toBe("10.0.0.2");
    expect((await pair.run(one.accept())).localAddr.hostname).toBe("fd00::2");
  });
});

describe("onSyn", () => {
  /** Runs a connection attempt against a listener with this onSyn; returns the outcome. */
  async function attempt(onSyn: NonNullable<ListenOptions["onSyn"]>): Promise<string> {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80, onSyn });
    const accepted = listener.accept().then((socket) => socket.write(bytes("hi")), () => {});
    const client = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
    const outcome = await pair.run(codeOf(client.opened));
    if (outcome === "none") {
      await pair.run(accepted);
      await client.read(new Uint8Array(2));
    }
    return outcome;
  }

  test("true sends SYN,ACK; false and a throw send RST (RFC 9293 3.10.7.2)", async () => {
    expect(await attempt(() => true)).toBe("none");
    expect(await attempt(() => Promise.resolve(true))).toBe("none");
    expect(await attempt(() => false)).toBe("CONNECTION_REFUSED");
    expect(await attempt(() => "accept")).toBe("none");
    expect(await attempt(() => Promise.resolve("refuse" as const))).toBe("CONNECTION_REFUSED");
    expect(await attempt(() => Promise.reject(new Error("no")))).toBe("CONNECTION_REFUSED");
    expect(
      await attempt(() => {
        throw new Error("no");
      }),
    ).toBe("CONNECTION_REFUSED");
  });

  test("receives both addresses of the SYN", async () => {
    const seen: Syn[] = [];
    const aborted: boolean[] = [];
    await attempt((syn) => {
      seen.push(syn);
      aborted.push(syn.signal.aborted);
      return true;
    });
    expect(seen).toMatchObject([{
      local: { transport: "tcp", hostname: "10.0.0.2", port: 80 },
      remote: { transport: "tcp", hostname: "10.0.0.1" },
    }]);
    expect(aborted).toEqual([false]);
  });

  // A retransmitted SYN does not call onSyn again; the client gets its answer after the decision.
  test("may be slow", async () => {
    await using pair = new StackPair();
    const decision = Promise.withResolvers<boolean>();
    let asked = 0;
    const listener = pair.server.listen({
      port: 80,
      onSyn: () => {
        asked++;
        return decision.promise;
      },
    });
    const client = pair.client.connect("10.0.0.2:80");
    await pair.clock.advance(5000);
    expect([asked, client.state]).toEqual([1, "SYN-SENT"]);
    decision.resolve(true);
    const server = await pair.run(listener.accept());
    await server.write(bytes("welcome"));
    void server.close();
    expect(await pair.run(readText(client))).toBe("welcome");
  });

  // The client resets its attempt before the decision, which then has no effect.
  test("its signal is aborted when the peer gives up", async () => {
    await using pair = new StackPair();
    const decision = Promise.withResolvers<boolean>();
    const seen: Syn[] = [];
    pair.server.listen({ port: 80, onSyn: (syn) => (seen.push(syn), decision.promise) });
    pair.client.connect("10.0.0.2:80", { localPort: 5000 });
    await pair.clock.advance(10);
    expect(seen.length).toBe(1);
    await pair.clock.advance(300_000);
    expect(seen[0]!.signal.aborted).toBe(true);
    decision.resolve(true);
    await pair.clock.advance(10);
    expect(pair.server.stats().connections).toBe(0);
  });

  // The first two SYNs are ignored; the third is accepted.
  test("ignore leaves a retransmitted SYN to be decided again", async () => {
    await using pair = new StackPair();
    const seen: Syn[] = [];
    const listener = pair.server.listen({
      port: 80,
      onSyn: (syn) => (seen.push(syn), seen.length < 3 ? "ignore" : "accept"),
    });
    const client = pair.client.connect("10.0.0.2:80");
    await pair.clock.advance(10);
    expect([client.state, seen.length]).toEqual(["SYN-SENT", 1]);
    expect(pair.server.stats()).toMatchObject({ connections: 0, packetsOut: 0, timers: 0 });
    await pair.run(listener.accept());
    expect(seen.map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
    expect(pair.server.stats()["drop.tcp-syn-ignored"]).toBe(2);
  });

  // Resources acquired before the refusal can be released.
  test("its signal is aborted when it is refused, or the stack closes", async () => {
    await using pair = new StackPair();
    const seen: Syn[] = [];
    pair.server.listen({ port: 80, onSyn: (syn) => (seen.push(syn), "refuse") });
    pair.server.listen({
      port: 81,
      onSyn: (syn) => (seen.push(syn), new Promise<boolean>(() => {})),
    });
    await pair.run(codeOf(pair.client.connect("10.0.0.2:80").opened));
    const waiting = pair.client.connect("10.0.0.2:81");
    await pair.clock.advance(10);
    expect(seen.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    await pair.run(pair.server.close());
    expect(seen[1]!.signal.aborted).toBe(true);
    waiting.abort();
  });
});
