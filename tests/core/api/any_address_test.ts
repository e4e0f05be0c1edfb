import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Handler, Stack } from "../../../core/api/types.ts";
import { bytes, readText } from "./stack_pair.ts";

/** A host at 10.90.0.1 and fd00:90::1, and a stack that owns the rest of both networks. */
class HostAndNetwork implements AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock();
  readonly host: Stack;
  readonly stack: Stack;

  constructor() {
    const [left, right] = linkPair();
    const { clock } = this;
    this.host = createStack({
      link: left,
      clock,
      addresses: ["10.90.0.1/16", "fd00:90::1/64"],
      random: seededRandom(1),
    });
    this.stack = createStack({
      link: right,
      clock,
      addresses: ["10.90.0.0/16", "fd00:90::/64"],
      exceptAddresses: ["10.90.0.1", "fd00:90::1"],
      random: seededRandom(2),
    });
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise);
  }

  /** Text received from an address and port of the stack. */
  async hear(hostname: string, port: number): Promise<string> {
    await using socket = this.host.connect({ hostname, port }, { allowHalfOpen: true });
    await socket.closeWrite();
    return await this.run(readText(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(Promise.all([this.host.close(), this.stack.close()]));
  }
}

/** Sends the local address and port of the connection. */
const sayWhere: Handler = async ({ socket }) => {
  const { hostname, port } = socket.localAddr;
  await socket.write(bytes(`${hostname} ${port}`));
};

/** Sends a word. */
const say = (word: string): Handler => async ({ socket }) => {
  await socket.write(bytes(word));
};

describe("use", () => {
  // Random addresses and ports of a /16 and a /64; connections leave no state.
  test("of * serves every port of every address, and has the local address", async () => {
    await using net = new HostAndNetwork();
    net.stack.use("*", sayWhere);
    const random = seededRandom(90);
    for (let i = 0; i < 300; i++) {
      const low = 2 + random.uint32() % 65_533;
      const port = [1, 65_535][i] ?? 1 + random.uint32() % 65_535;
      const hostname = i % 3 === 0
        ? `fd00:90::${low.toString(16)}`
        : `10.90.${low >>> 8}.${low & 255}`;
      expect(await net.hear(hostname, port)).toBe(`${hostname} ${port}`);
    }
    await net.clock.advance(60_000);
    expect(net.stack.stats().connections).toBe(0);
    expect(net.stack.stats().connectionsAccepted).toBe(300);
  });

  // Each handler serves its own binding, regardless of wider ones.
  test("serves each connection with the most specific handler", async () => {
    await using net = new HostAndNetwork();
    net.stack
      .use("*", say("all"))
      .use("8000-8999", say("ports"))
      .use(8080, say("port"))
      .use("10.90.7.0/24:*", say("network"))
      .use(["10.90.7.7:8080", "[fd00:90::7]:8080"], say("address"));
    const heard = async (...places: [string, number][]) => {
      const words: string[] = [];
      for (const [hostname, port] of places) words.push(await net.hear(hostname, port));
      return words.join(" ");
    };
    expect(await heard(["10.90.1.1", 1], ["10.90.1.1", 8001], ["10.90.1.1", 8080]))
      .toBe("all ports port");
    expect(await heard(["10.90.7.1", 8080], ["10.90.7.7", 8081], ["10.90.7.7", 8080]))
      .toBe("network network address");
    expect(await heard(["fd00:90::8", 8080], ["fd00:90::7", 8080])).toBe("port address");
  });

  // A call makes all of its bindings or none: after a refused call, its first binding is free again.
  test("refuses the same listen address twice", async () => {
    await using net = new HostAndNetwork();
    net.stack.use("10.90.7.0/24:80-81", say("first"));
    const again = () => net.stack.use([82, "10.90.7.0/24:80-81"], say("second"));
    expect(again).toThrow("10.90.7.0/24:80-81 is in use");
    net.stack.use(82, say("third"));
    expect(await net.hear("10.90.7.1", 82)).toBe("third");
    expect(() => net.stack.use("*", sayWhere).use("1-65535", sayWhere)).toThrow("is in use");
  });

  // Invalid listen addresses are reported before anything is bound.
  test("refuses invalid listen addresses and addresses that are not own", async () => {
    await using net = new HostAndNetwork();
    expect(() => net.stack.use([80, "x"], sayWhere)).toThrow(/"x" is not a listen address/);
    expect(() => net.stack.use("10.91.0.0/16:80", sayWhere))
      .toThrow("10.91.0.0/16:80: not an address of this stack; it has 10.90.0.0/16, fd00:90::/64");
    net.stack.use(80, sayWhere);
  });
});

describe("listen", () => {
  // The same bindings, with port and address as separate options; `addr` is the first address and
  // port.
  test("accepts ranges of ports and networks", async () => {
    await using net = new HostAndNetwork();
    const range = net.stack.listen({ port: "8000-8999", hostname: "10.90.7.0/24" });
    const all = net.stack.listen({ port: "*" });
    expect(range.addr).toEqual({ transport: "tcp", hostname: "10.90.7.0", port: 8000 });
    expect(all.addr).toEqual({ transport: "tcp", hostname: "0.0.0.0", port: 1 });
    net.host.connect("10.90.7.9:8999");
    net.host.connect("[fd00:90::9]:8999");
    expect((await net.run(range.accept())).localAddr.hostname).toBe("10.90.7.9");
    expect((await net.run(all.accept())).localAddr)
      .toEqual({ transport: "tcp", hostname: "fd00:90::9", port: 8999 });
    range.close();
    net.host.connect("10.90.7.9:8999");
    expect((await net.run(all.accept())).localAddr.hostname).toBe("10.90.7.9");
  });
});

describe("connect", () => {
  // From any address of the network; by default the first that is not excluded.
  test("uses source addresses of the network", async () => {
    await using net = new HostAndNetwork();
    const listener = net.host.listen({ port: 9 });
    net.stack.connect("10.90.0.1:9");
    expect((await net.run(listener.accept())).remoteAddr.hostname).toBe("10.90.0.2");
    net.stack.connect("[fd00:90::1]:9", { localHostname: "fd00:90::cafe", localPort: 1000 });
    expect((await net.run(listener.accept())).remoteAddr)
      .toEqual({ transport: "tcp", hostname: "fd00:90::cafe", port: 1000 });
    expect(() => net.stack.connect("10.90.0.1:9", { localHostname: "10.90.0.1" }))
      .toThrow("not an address of this stack");
  });

  // Connections to an own network never reach the link.
  test("reaches the stack's own network without the link", async () => {
    await using net = new HostAndNetwork();
    net.stack.use("*", sayWhere);
    const socket = net.stack.connect("10.90.44.44:4444", { allowHalfOpen: true });
    expect(await net.run(readText(socket))).toBe("10.90.44.44 4444");
    expect(net.stack.stats()).toMatchObject({ packetsOut: 0 });
  });
});

describe("removeAddress", () => {
  // Part of a network is removed with its connections, and added again.
  test("removes part of a network", async () => {
    await using net = new HostAndNetwork();
    net.stack.use("*", async ({ socket }) => {
      await socket.closed;
    });
    const [one, other] = ["10.90.7.7:80", "10.90.8.8:80"].map((to) => net.host.connect(to));
    await net.run(Promise.all([one!.opened, other!.opened]));
    expect(net.stack.stats().connections).toBe(2);
    net.stack.removeAddress("10.90.7.0/24");
    expect(net.stack.stats().connections).toBe(1);
    net.stack.addAddress("10.90.7.0/24");
    await net.run(net.host.connect("10.90.7.9:80").opened);
    one!.abort();
    expect(() => net.stack.removeAddress("10.90.7")).toThrow("is not an IP address");
    expect(() => net.stack.addAddress("127.0.0.0/8")).toThrow("is a loopback address");
    expect(() => net.stack.addAddress("224.0.0.0/4")).toThrow("is not an address");
  });
});

describe("createStack", () => {
  // A stack cannot own multicast addresses, nor loopback addresses unless its link is inside a host. Excluded
  // addresses have to be valid too.
  test("refuses networks that cannot be own", async () => {
    const [link, other] = linkPair();
    const make = (addresses: string[], exceptAddresses: string[] = []) => () =>
      createStack({ link, addresses, exceptAddresses });
    expect(make(["127.0.0.0/8"])).toThrow(/addresses: 127\.0\.0\.0\/8 is a loopback address/);
    expect(make(["224.0.0.0/4"])).toThrow(/options.addresses.0: is not an address; write /);
    expect(make(["0.0.0.0/0"], ["host"])).toThrow("options.exceptAddresses.0: is not an address");
    await using everything = make(["0.0.0.0/0", "::/0"], ["10.0.0.1"])();
    everything.use("*", sayWhere);
    await other.close();
  });
});
