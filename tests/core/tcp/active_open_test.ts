import { describe, expect, test } from "bun:test";
import { TCB_EVENT } from "../../../core/tcp/tcb.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { inClosed, inEstablishedActive, inSynSent } from "../../support/dsl/builders.ts";

for (const version of [4, 6] as const) {
  describe(`connect over IPv${version}`, () => {
    // SYN, SYN,ACK, ACK.
    test("opens with three segments (RFC 9293 3.5)", () => {
      const t = inSynSent({ version });
      expect(t.state).toBe("SYN-SENT");
      t.send({ flags: "S.", options: { mss: 1000 } });
      t.recv({ flags: ".", seq: 1, ack: 1 });
      expect(t.state).toBe("ESTABLISHED");
      expect(t.takeEvents() & TCB_EVENT.OPENED).toBe(TCB_EVENT.OPENED);
    });

    // The port is closed.
    test("is refused by RST (RFC 9293 3.10.7.3, second)", () => {
      const t = inSynSent({ version });
      t.send({ flags: "R.", seq: 0, ack: 1 });
      expect(t.state).toBe("CLOSED");
      expect(t.tcb.error).toBe("CONNECTION_REFUSED");
      expect(t.isForgotten).toBe(true);
      t.recvNothing();
    });

    // Text written before the handshake completes is sent with the ACK.
    test("sends text written during the handshake (RFC 9293 3.10.2)", () => {
      const t = inSynSent({ version });
      expect(t.write(10)).toBe(10);
      t.recvNothing();
      t.send({ flags: "S.", options: { mss: 1000 } });
      t.recv({ flags: "P.", length: 10, ack: 1 });
    });
  });
}

describe("SYN-SENT", () => {
  // A RST that does not acknowledge our SYN may be forged.
  test("ignores a RST without the right ACK (RFC 9293 3.10.7.3, second)", () => {
    const t = inSynSent();
    t.send({ flags: "R", seq: 0 });
    t.send({ flags: "R.", seq: 0, ack: 0 });
    t.send({ flags: "R.", seq: 0, ack: 2 });
    t.recvNothing();
    expect(t.state).toBe("SYN-SENT");
  });

  // A wrong ACK belongs to an old connection of the peer, which the RST ends.
  test("answers a wrong ACK with RST (RFC 9293 3.10.7.3, first)", () => {
    const t = inSynSent();
    t.send({ flags: "S.", ack: 500 });
    t.recv({ flags: "R", seq: 500 });
    t.send({ flags: ".", ack: 0 });
    t.recv({ flags: "R", seq: 0 });
    expect(t.state).toBe("SYN-SENT");
  });

  // Neither SYN nor RST: dropped.
  test("ignores an ACK without SYN (RFC 9293 3.10.7.3, fifth)", () => {
    const t = inSynSent();
    t.send({ flags: ".", ack: 1 });
    t.recvNothing();
    expect(t.state).toBe("SYN-SENT");
  });

  // The first RTO is a second and doubles; after three minutes the attempt fails.
  test("retransmits SYN and gives up (RFC 6298 2.1)", () => {
    const t = inSynSent();
    for (const at of [1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000]) {
      t.recv({ at, flags: "S", seq: 0 });
    }
    t.at(180_001);
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("TIMED_OUT");
    expect(t.wire.stack.tcp.timerCount).toBe(0);
    t.recvNothing();
  });

  // The RTT of a retransmitted SYN is ambiguous, and the first RTO was too short.
  test("takes no RTT sample from a retransmitted SYN (RFC 6298 3)", () => {
    const t = inSynSent();
    t.recv({ at: 1000, flags: "S", seq: 0 });
    t.send({ at: 1010, flags: "S.", options: { mss: 1000 } });
    t.recv({ ack: 1 });
    t.write("x");
    t.recv({ flags: "P.", length: 1 });
    t.recv({ at: 4010, flags: "P.", seq: 1, length: 1 });
  });

  // The SYN,ACK is retransmitted because our ACK was lost.
  test("a retransmitted SYN,ACK is acknowledged again (RFC 9293 3.10.7.4, fourth)", () => {
    const t = inEstablishedActive();
    t.send({ at: 1000, flags: "S.", seq: 0, ack: 1 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.state).toBe("ESTABLISHED");
  });
});

describe("simultaneous open", () => {
  // Both have sent a SYN: each answers with SYN,ACK.
  test("goes through SYN-RECEIVED with the peer's SYN,ACK (RFC 9293 3.5, figure 7)", () => {
    const t = inSynSent();
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    expect(t.state).toBe("SYN-RECEIVED");
    t.send({ flags: "S.", seq: 0, ack: 1 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.state).toBe("ESTABLISHED");
    t.at(120_000);
    t.recvNothing();
  });

  // A peer may also answer with a plain ACK.
  test("goes through SYN-RECEIVED with the peer's ACK (RFC 9293 3.5, figure 7)", () => {
    const t = inSynSent();
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.send({ ack: 1, data: 3 });
    expect(t.state).toBe("ESTABLISHED");
    expect(t.read()).toBe(3);
    t.recv({ ack: 4 });
  });

  // The SYN,ACK is retransmitted in both profiles, since the peer may not retransmit its SYN.
  test("retransmits its SYN,ACK (RFC 6298 5.5)", () => {
    const t = inSynSent();
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.recv({ at: 1000, flags: "S.", seq: 0, ack: 1 });
  });

  // A RST in this state refuses the connection.
  test("can be refused (RFC 9293 3.10.7.4, second)", () => {
    const t = inSynSent();
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.send({ flags: "R" });
    expect(t.tcb.error).toBe("CONNECTION_REFUSED");
  });
});

describe("connect", () => {
  const remote = IpAddress.parse("10.0.0.1")!;

  // Refused before a packet is sent.
  test("reports invalid addresses (RFC 9293 3.9.2.3)", () => {
    const { wire } = inClosed();
    const to = (address: string, remotePort: number, from?: string) =>
      wire.stack.tcp.connect({
        remote: IpAddress.parse(address)!,
        remotePort,
        local: from === undefined ? undefined : IpAddress.parse(from)!,
        localPort: 0,
      }, wire.now);
    expect(to("224.0.0.1", 80)).toBe("INVALID_ADDRESS");
    expect(to("10.0.0.255", 80)).toBe("INVALID_ADDRESS");
    expect(to("ff02::1", 80)).toBe("INVALID_ADDRESS");
    expect(to("10.0.0.1", 0)).toBe("INVALID_ADDRESS");
    expect(to("10.0.0.1", 80, "10.0.0.9")).toBe("ADDRESS_NOT_AVAILABLE");
    expect(wire.stack.tcp.connectionCount).toBe(0);
  });

  // The 4-tuple identifies the connection and cannot be used twice.
  test("refuses a 4-tuple that is in use (RFC 9293 3.10.1)", () => {
    const t = inSynSent();
    const request = { remote, remotePort: 80, local: undefined, localPort: 50_000 };
    expect(t.wire.stack.tcp.connect(request, t.wire.now)).toBe("ADDRESS_IN_USE");
  });

  // Ports are from the dynamic range and differ.
  test("chooses a free port (RFC 6056 3.3.3)", () => {
    const { wire } = inClosed();
    const ports = Array.from({ length: 50 }, () => {
      const request = { remote, remotePort: 80, local: undefined, localPort: 0 };
      const tcb = wire.step((stack) => stack.tcp.connect(request, wire.now));
      return typeof tcb === "string" ? 0 : tcb.localPort;
    });
    expect(new Set(ports).size).toBe(50);
    expect(ports.every((port) => port >= 49_152 && port <= 65_535)).toBe(true);
  });
});
