import { describe, expect, test } from "bun:test";
import { bindingOf } from "../../../../core/api/listen_address.ts";
import { inClosed, inEstablished, inListen } from "../../../support/dsl/builders.ts";

for (const version of [4, 6] as const) {
  describe(`segments without a connection over IPv${version}`, () => {
    // RST,ACK with sequence number 0 that acknowledges the SYN and its text.
    test("a SYN to a closed port is answered with RST,ACK (RFC 9293 3.10.7.1)", () => {
      const t = inClosed({ version });
      t.send({ flags: "S" });
      t.recv({ flags: "R.", seq: 0, ack: 1 });
      t.send({ flags: "S", seq: 0, data: 5 });
      t.recv({ flags: "R.", seq: 0, ack: 6 });
      expect(t.wire.stack.stats.resetsSent).toBe(2);
    });

    // RST without ACK, with the sequence number that the peer expects.
    test("an ACK without a connection is answered with RST (RFC 9293 3.10.7.1)", () => {
      const t = inClosed({ version });
      t.send({ flags: "F.", ack: 5000 });
      t.recv({ flags: "R", seq: 5000 });
      t.send({ flags: ".", ack: 7, data: 10 });
      t.recv({ flags: "R", seq: 7 });
    });

    // Two stacks must not answer each other forever.
    test("a RST is never answered (RFC 9293 3.10.7.1)", () => {
      const t = inClosed({ version });
      t.send({ flags: "R" });
      t.send({ flags: "R.", ack: 7 });
      t.recvNothing();
    });
  });
}

describe("LISTEN", () => {
  // There is no connection that it could acknowledge.
  test("answers an ACK with RST (RFC 9293 3.10.7.2, second)", () => {
    const t = inListen();
    t.send({ flags: ".", ack: 77 });
    t.recv({ flags: "R", seq: 77 });
    t.send({ flags: "S.", ack: 78 });
    t.recv({ flags: "R", seq: 78 });
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
  });

  // First RST, then any other segment without SYN.
  test("drops segments other than SYN (RFC 9293 3.10.7.2)", () => {
    const t = inListen();
    t.send({ flags: "R" });
    t.send({ flags: "F" });
    t.send({ flags: "P", data: 5 });
    t.recvNothing();
    expect(t.wire.stack.stats.snapshot()).toMatchObject({
      "drop.tcp-rst-listen": 1,
      "drop.tcp-flags-listen": 2,
    });
  });

  // A listener on the address is preferred to a wildcard listener.
  test("prefers the listener of the address (RFC 9293 3.9.1.1)", () => {
    const t = inClosed({ subnets: ["10.0.0.2/24", "10.0.0.3/24"] });
    const all = t.wire.listen(80);
    const other = t.other({ local: "10.0.0.3" });
    const address = (() => {
      other.send({ flags: "S" });
      other.recv({ flags: "S.", ack: 1 });
      return other.tcb.local;
    })();
    const own = t.wire.stack.tcp.listen({
      ...bindingOf(80, address.toString()),
      backlog: 5,
      decides: false,
    });
    if (typeof own === "string") throw new Error(own);
    const next = t.other({ local: "10.0.0.3", remotePort: 2 });
    next.send({ flags: "S" });
    next.recv({ flags: "S.", ack: 1 });
    expect([all.halfOpen.size, own.halfOpen.size]).toEqual([1, 1]);
    expect(
      t.wire.stack.tcp.listen({ ...bindingOf(80, address.toString()), backlog: 5, decides: false }),
    )
      .toBe("ADDRESS_IN_USE");
  });
});

describe("a peer that is not unicast", () => {
  // Multicast, broadcast and unspecified addresses cannot open connections.
  test.each(["224.0.0.1", "10.0.0.255", "0.0.0.0", "255.255.255.255"])(
    "a SYN from %s is dropped (RFC 9293 3.9.2.3)",
    (remote) => {
      const t = inListen({ remote });
      t.send({ flags: "S" });
      t.recvNothing();
      expect(t.wire.stack.tcp.connectionCount).toBe(0);
    },
  );
});

describe("the stack itself", () => {
  // A stack that connects to itself does not use the link.
  test("connects to itself (RFC 1122 3.2.1.3)", () => {
    const t = inClosed({ remote: "10.0.0.2", remotePort: 80, localPort: 50_000 });
    const listener = t.wire.listen(80);
    t.connect();
    t.recvNothing();
    expect(t.state).toBe("ESTABLISHED");
    expect(listener.ready.length).toBe(1);
    t.write(100);
    expect(listener.ready[0]?.receive.readable).toBe(100);
  });

  // All open connections are reset, and no state remains.
  test("shutDown resets every connection (RFC 9293 3.10.5)", () => {
    const t = inEstablished();
    const half = t.other({ remotePort: 2 });
    half.send({ flags: "S" });
    half.recv({ flags: "S.", ack: 1 });
    t.wire.step((stack) => stack.shutDown());
    expect(t.wire.unread.length).toBe(2);
    expect(t.tcb.error).toBe("STACK_CLOSED");
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
    expect(t.wire.stack.tcp.timerCount).toBe(0);
    t.wire.unread.splice(0);
    const late = t.other({ remotePort: 3 });
    late.send({ flags: "S" });
    late.recv({ flags: "R.", seq: 0, ack: 1 });
  });
});
