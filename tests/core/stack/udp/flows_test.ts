import { describe, expect, test } from "bun:test";
import type { Flow, FlowPort } from "../../../../core/udp/flow.ts";
import { Subnet } from "../../../../core/wire/address.ts";
import { encodeIcmp, encodeUdp } from "../../../support/dsl/encode.ts";
import { pattern } from "../../../support/packets.ts";
import { textsOf, udpBinding, UdpHost } from "../../../support/udp_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A stack with a flow port on 7, whose owner is the test. */
class FlowTest extends UdpHost {
  readonly port: FlowPort;

  constructor(udp: ConstructorParameters<typeof UdpHost>[1] = {}) {
    super(1500, udp);
    this.port = this.flowPort(udpBinding(7));
  }

  /** A datagram from a port of the peer. */
  from(port: number, text: string): void {
    this.datagram(`10.0.0.1 ${port}`, "10.0.0.2 7", bytes(text));
  }

  /** The latest flow. */
  get last(): Flow {
    return this.port.fresh.at(-1)!;
  }
}

describe("flows", () => {
  // One flow for each combination of addresses and ports.
  test("are distinguished by addresses and ports", () => {
    const t = new FlowTest();
    t.from(1000, "a");
    t.from(1001, "b");
    t.from(1000, "c");
    t.datagram("fd00::1 1000", "fd00::2 7", bytes("d"));
    expect(t.port.fresh.map(({ remotePort, remote }) => `${remote} ${remotePort}`))
      .toEqual(["10.0.0.1 1000", "10.0.0.1 1001", "fd00::1 1000"]);
    expect(t.port.fresh.map(textsOf)).toEqual([["a", "c"], ["b"], ["d"]]);
  });

  // Thousands of flows are found after the table has grown.
  test("are found among many", () => {
    const t = new FlowTest();
    for (let port = 1; port <= 3000; port++) t.from(port, "first");
    for (let port = 1; port <= 3000; port++) t.from(port, "second");
    expect(t.port.fresh.length).toBe(3000);
    expect(t.port.fresh.every((flow) => textsOf(flow).length === 2)).toBe(true);
    for (const flow of t.port.fresh) t.stack.udp.flows.close(flow);
    expect(t.stack.udp.flows.table.count).toBe(0);
    expect(t.stack.nextTimeout()).toBe(Infinity);
  });

  // Sixty seconds after the last datagram in either direction.
  test("end after the idle timeout without a datagram", () => {
    const t = new FlowTest();
    t.from(1000, "a");
    const flow = t.last;
    t.wait(59_000);
    t.from(1000, "b");
    t.wait(59_000);
    t.stack.udp.sendInFlow(flow, pattern(3), t.now);
    t.wait(59_999);
    expect(flow.end).toBeUndefined();
    t.wait(1);
    expect(flow.end).toBe("idle");
    // Earlier datagrams can still be read; a later one opens a new flow.
    expect(textsOf(flow)).toEqual(["a", "b"]);
    t.from(1000, "c");
    expect(t.last).not.toBe(flow);
    expect(t.stack.stats.flowsEnded).toBe(1);
  });

  // Each flow can have its own timeout, which applies immediately.
  test("can change their idle timeout", () => {
    const t = new FlowTest({ flowIdleMs: 1000 });
    t.from(1, "a");
    t.from(2, "b");
    const [short, long] = t.port.fresh as [Flow, Flow];
    t.stack.udp.flows.setIdleTimeout(short, 100, t.now);
    t.stack.udp.flows.setIdleTimeout(long, 5000, t.now);
    t.wait(100);
    expect([short.end, long.end]).toEqual(["idle", undefined]);
    t.wait(4899);
    expect(long.end).toBeUndefined();
    t.wait(1);
    expect(long.end).toBe("idle");
  });

  // A client that sends from many ports ends the flow idle for longest, and blocks nobody.
  test("are bounded in number: one more evicts the flow idle for longest", () => {
    const t = new FlowTest({ maxFlows: 100 });
    for (let port = 1; port <= 100; port++) {
      t.now += 1;
      t.from(port, "a");
    }
    // The oldest flow gets a datagram.
    t.now += 1;
    t.from(1, "b");
    for (let port = 1001; port <= 1099; port++) {
      t.now += 1;
      t.from(port, "c");
    }
    expect(t.stack.udp.flows.table.count).toBe(100);
    const alive = t.port.fresh.filter(({ end }) => end === undefined);
    expect(alive.length).toBe(100);
    expect(alive[0]!.remotePort).toBe(1);
    expect(t.port.fresh.filter(({ end }) => end === "evicted").length).toBe(99);
    expect(t.stack.stats.flowsEvicted).toBe(99);
  });

  // A hundred other clients keep their idle flows.
  test.each(["10.9.9.9", "fd00:999::%"])(
    "are evicted only among the many flows of %s",
    (pattern) => {
      const t = new FlowTest({ maxFlows: 300 });
      const isV6 = pattern.includes(":");
      for (let host = 1; host <= 100; host++) {
        t.datagram(
          isV6 ? `fd00:${host}::1 7` : `10.0.1.${host} 7`,
          `${isV6 ? "fd00::2" : "10.0.0.2"} 7`,
          bytes("a"),
        );
      }
      const honest = [...t.port.fresh];
      for (let n = 1; n <= 1000; n++) {
        t.now += 1;
        // An IPv6 client can use any number of addresses in its /64.
        const source = pattern.replace("%", n.toString(16));
        t.datagram(`${source} ${1000 + n}`, `${isV6 ? "fd00::2" : "10.0.0.2"} 7`, bytes("b"));
      }
      expect(t.stack.udp.flows.table.count).toBe(300);
      expect(honest.filter(({ end }) => end !== undefined).length).toBe(0);
      expect(t.stack.stats.flowsEvicted).toBe(800);
    },
  );

  // A source that fills all of its queues leaves room for the datagrams of others.
  test("of one source leave memory for others", () => {
    const t = new FlowTest({ maxMemory: 100_000 });
    for (let port = 1; port <= 500; port++) t.from(port, "a");
    const { queuedBytes } = t.stack.udp;
    expect(queuedBytes).toBeGreaterThan(75_000);
    expect(queuedBytes).toBeLessThanOrEqual(80_300);
    for (let host = 1; host <= 20; host++) t.datagram(`10.0.1.${host} 7`, "10.0.0.2 7", bytes("b"));
    expect(t.port.fresh.slice(-20).map(({ queue }) => queue.count)).toEqual(Array(20).fill(1));
    // Closing its flows frees its share.
    for (const flow of t.port.fresh) t.stack.udp.flows.close(flow);
    expect(t.stack.udp.queuedBytes).toBe(0);
    t.from(1, "c");
    expect(t.last.queue.count).toBe(1);
  });

  // Limits of one queue, and of all queues together.
  test("hold a bounded number of datagrams", () => {
    const t = new FlowTest({ maxDatagrams: 2, maxMemory: 1000 });
    for (const text of ["a", "b", "c"]) t.from(1, text);
    for (const text of ["d", "e"]) t.from(2, text);
    expect(t.port.fresh.map(({ queue }) => queue.count)).toEqual([2, 1]);
    expect(t.drops()).toEqual({ "udp-queue": 1, "udp-memory": 1 });
    // A dropped datagram does not open a flow.
    t.from(3, "f");
    expect(t.port.fresh.length).toBe(2);
  });

  // A handler reads one datagram and returns; the others are not lost.
  test("continue as a new flow with the datagrams that a finished handler has not read", () => {
    const t = new FlowTest();
    for (const text of ["a", "b", "c"]) t.from(1, text);
    const first = t.last;
    first.queue.shift();
    t.stack.udp.flows.finish(first, t.now);
    const second = t.last;
    expect(second).not.toBe(first);
    t.from(1, "d");
    expect(textsOf(second)).toEqual(["b", "c", "d"]);
    t.stack.udp.flows.finish(second, t.now);
    expect(t.last).toBe(second);
    expect(t.stack.udp.flows.table.count).toBe(0);
    expect(t.drops()).toEqual({});
  });

  // Unread datagrams are counted as dropped.
  test("drop unread datagrams when they are closed", () => {
    const t = new FlowTest();
    for (const text of ["a", "b"]) t.from(1, text);
    t.stack.udp.flows.close(t.last);
    t.stack.udp.flows.close(t.last);
    expect(t.drops()).toEqual({ "udp-unread": 2 });
    expect(t.stack.udp.queuedBytes).toBe(0);
  });

  // Source port 0 cannot be answered (RFC 768).
  test("are not opened from port 0", () => {
    const t = new FlowTest();
    t.from(0, "a");
    expect(t.drops()).toEqual({ "udp-no-answer": 1 });
  });

  // The peer's kernel reports port unreachable.
  test("end with an ICMP error about what they sent (RFC 1122 4.1.3.3)", () => {
    const t = new FlowTest();
    t.from(1, "a");
    t.from(2, "b");
    const [flow, other] = t.port.fresh as [Flow, Flow];
    const body = encodeUdp("10.0.0.2", "10.0.0.1", 7, 1, pattern(8));
    t.receive(encodeIcmp("10.0.0.1", "10.0.0.2", { type: 3, code: 3, rest: 0, body }));
    expect([flow.end, other.end]).toEqual(["CONNECTION_REFUSED", undefined]);
    expect(textsOf(flow)).toEqual(["a"]);
    // A second error no longer matches a flow.
    t.receive(encodeIcmp("10.0.0.1", "10.0.0.2", { type: 3, code: 3, rest: 0, body }));
    expect(t.drops()).toEqual({ "icmp-no-connection": 1 });
  });

  // Nothing is sent from an address that is no longer own.
  test("end when their address is removed", () => {
    const t = new FlowTest();
    t.from(1, "a");
    t.datagram("fd00::1 1", "fd00::2 7", bytes("b"));
    t.stack.removeSubnet(Subnet.of(t.port.fresh[0]!.local));
    expect(t.port.fresh.map(({ end }) => end)).toEqual(["stopped", undefined]);
    expect(t.stack.udp.sendInFlow(t.port.fresh[0]!, pattern(1), t.now))
      .toBe("ADDRESS_NOT_AVAILABLE");
    t.stack.shutDown();
    expect(t.port.fresh.map(({ end }) => end)).toEqual(["stopped", "stopped"]);
    t.from(9, "c");
    expect(t.port.fresh.length).toBe(2);
  });
});
