import { describe, expect, test } from "bun:test";
import { inClosed, inEstablished, inSynSent } from "../../../support/dsl/builders.ts";
import { encodeIcmp, encodeIp, encodeTcp, encodeUdp } from "../../../support/dsl/encode.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

const FAMILIES = [4, 6] as const;

/** The beginning of a segment sent by the stack, as a router would quote it. */
function quote(t: Trace, seq: number): Uint8Array {
  return encodeTcp({
    source: t.local,
    destination: t.remote,
    sourcePort: t.localPort,
    destinationPort: t.remotePort,
    seq: (t.iss + seq) >>> 0,
    ack: 0,
    flags: 16,
    window: 0,
  }).subarray(0, (t.local.includes(":") ? 40 : 20) + 8);
}

/** Injects an ICMP error about the segment with sequence number `seq`. */
function error(t: Trace, type: number, code: number, rest: number, seq: number): void {
  const router = t.local.includes(":") ? "fd00::99" : "10.0.0.99";
  t.wire.inject(encodeIcmp(router, t.local, { type, code, rest, body: quote(t, seq) }));
}

function tooBig(t: Trace, mtu: number, seq: number): void {
  if (t.local.includes(":")) error(t, 2, 0, mtu, seq);
  else error(t, 3, 4, mtu, seq);
}

describe("echo", () => {
  // The same bytes come back, from the address that was pinged.
  test.each(FAMILIES)("is answered over IPv%d (RFC 1122 3.2.2.6)", (version) => {
    const t = inClosed({ version });
    const body = Uint8Array.from({ length: 57 }, (_, i) => i);
    const type = version === 4 ? 8 : 128;
    t.wire.inject(encodeIcmp(t.remote, t.local, { type, code: 0, rest: 0x12340001, body }));
    const reply = t.recvIcmp(version === 4 ? 0 : 129, 0);
    expect(reply).toMatchObject({ source: t.local, destination: t.remote, rest: 0x12340001, body });
    expect(t.wire.stack.stats.echoReplies).toBe(1);
  });

  // A wrong checksum, another host's address, and an echo reply are not answered.
  test("is answered only if the request is valid (RFC 1122 3.2.2.6)", () => {
    const t = inClosed();
    const request = { type: 8, code: 0, rest: 1, body: new Uint8Array(8) };
    const wrong = encodeIcmp(t.remote, t.local, request);
    wrong[25]! ^= 1;
    t.wire.inject(wrong);
    t.wire.inject(encodeIcmp(t.remote, "10.0.0.77", request));
    t.wire.inject(encodeIcmp("10.0.0.255", t.local, request));
    t.wire.inject(encodeIcmp(t.remote, t.local, { ...request, type: 0 }));
    t.recvNothing();
    expect(t.wire.stack.stats.snapshot()).toMatchObject({
      "drop.icmp-checksum": 1,
      "drop.not-ours": 1,
      "drop.ip-source": 1,
      "drop.icmp-type": 1,
    });
  });

  // At most a thousand replies a second.
  test("is limited in rate (RFC 4443 2.4)", () => {
    const t = inClosed();
    const request = { type: 8, code: 0, rest: 1, body: new Uint8Array(0) };
    const packet = encodeIcmp(t.remote, t.local, request);
    for (let i = 0; i < 1100; i++) t.wire.inject(packet);
    expect(t.wire.unread.length).toBe(1000);
    expect(t.wire.stack.stats.dropped("icmp-rate")).toBe(100);
    t.wire.unread.splice(0);
    t.after(100);
    for (let i = 0; i < 200; i++) t.wire.inject(packet);
    expect(t.wire.unread.length).toBe(100);
  });
});

describe("unreachable", () => {
  // A closed UDP port: the error quotes the datagram.
  test.each(FAMILIES)("answers UDP over IPv%d (RFC 1122 4.1.3.1)", (version) => {
    const t = inClosed({ version });
    const datagram = encodeUdp(t.remote, t.local, 5000, 53, new Uint8Array(10));
    t.wire.inject(datagram);
    const [type, code] = version === 4 ? [3, 3] as const : [1, 4] as const;
    expect(t.recvIcmp(type, code).body).toEqual(datagram);
    expect(t.wire.stack.stats.errorsSent).toBe(1);
  });

  // An unsupported protocol; in IPv6 the error points at the next-header field.
  test.each(FAMILIES)("answers an unknown protocol over IPv%d (RFC 4443 3.4)", (version) => {
    const t = inClosed({ version });
    t.wire.inject(encodeIp(t.remote, t.local, 132, new Uint8Array(12)));
    const { rest } = version === 4 ? t.recvIcmp(3, 2) : t.recvIcmp(4, 1);
    expect(rest).toBe(version === 4 ? 0 : 6);
  });

  // "No next header" is not a protocol.
  test("sends no error about the next-header value 59, no next header (RFC 8200 4.7)", () => {
    const t = inClosed({ version: 6 });
    t.wire.inject(encodeIp(t.remote, t.local, 59, new Uint8Array(4)));
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("protocol")).toBe(1);
  });

  // After destination options, the next-header field is theirs.
  test("points at the next-header field of the last extension header (RFC 4443 3.4)", () => {
    const t = inClosed({ version: 6 });
    const options = [132, 0, 1, 4, 0, 0, 0, 0];
    t.wire.inject(encodeIp(t.remote, t.local, 60, Uint8Array.from([...options, 1, 2, 3, 4])));
    expect(t.recvIcmp(4, 1).rest).toBe(40);
  });
});

describe("packet too big", () => {
  // A router reports an MTU of 1,300: data that was too large is resegmented and retransmitted at
  // once, and later segments fit.
  test.each(FAMILIES)("shrinks the segments over IPv%d (RFC 1191 6.3)", (version) => {
    const t = inEstablished({ version, syn: { mss: 1400 } });
    const fits = version === 4 ? 1260 : 1240;
    t.write(2800);
    t.recv({ length: 1400 });
    t.recv({ flags: "P.", length: 1400 });
    tooBig(t, 1300, 1);
    const again = t.recvAll();
    expect(again.every(({ size }) => size <= 1300)).toBe(true);
    expect(again[0]?.text.length).toBe(fits);
    expect(t.tcb.sendMss).toBe(fits);
    t.send({ at: 10, ack: 2801 });
    t.recvAll();
    t.write(2000);
    t.recv({ length: fits });
  });

  // An attacker cannot know the outstanding sequence numbers.
  test("is accepted only about outstanding data (RFC 5927 4.1)", () => {
    const t = inEstablished({ syn: { mss: 1400 } });
    t.write(1400);
    t.recv({ flags: "P.", length: 1400 });
    tooBig(t, 1300, -5);
    tooBig(t, 1300, 1402);
    tooBig(t, 1300, 0x40000000);
    t.recvNothing();
    expect(t.tcb.sendMss).toBe(1400);
    expect(t.wire.stack.stats.dropped("icmp-no-connection")).toBe(3);
  });

  // A tiny MTU would slow the connection down to a crawl.
  test("is ignored below the minimum MTU (RFC 5927 7.2)", () => {
    const t = inEstablished({ syn: { mss: 1400 } });
    t.write(1400);
    t.recv({ flags: "P.", length: 1400 });
    tooBig(t, 68, 1);
    tooBig(t, 9000, 1);
    t.recvNothing();
    expect(t.tcb.sendMss).toBe(1400);
  });

  // An old router reports no MTU: the next lower plateau is tried.
  test("without an MTU selects the next plateau (RFC 1191 7.1)", () => {
    const t = inEstablished({ syn: { mss: 1460 } });
    t.write(1460);
    t.recv({ flags: "P.", length: 1460 });
    tooBig(t, 0, 1);
    t.recv({ seq: 1, length: 1452 });
    t.recv({ flags: "P.", seq: 1453, length: 8 });
  });
});

describe("errors about a connection", () => {
  // An attempt to connect fails at once with the reported error.
  test.each(
    [
      [4, 3, 3, "CONNECTION_REFUSED"],
      [4, 3, 1, "UNREACHABLE"],
      [4, 3, 13, "UNREACHABLE"],
      [6, 1, 4, "CONNECTION_REFUSED"],
      [6, 1, 0, "UNREACHABLE"],
      [6, 1, 3, "UNREACHABLE"],
    ] as const,
  )("end SYN-SENT: IPv%d type %d code %d is %s (RFC 5461 4)", (version, type, code, reason) => {
    const t = inSynSent({ version });
    error(t, type, code, 0, 0);
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(reason);
    expect(t.isForgotten).toBe(true);
  });

  // Established connections survive, and source quench is ignored.
  test("do not end an established connection (RFC 5927 5.2)", () => {
    const t = inEstablished();
    t.write(10);
    t.recv({ flags: "P.", length: 10 });
    for (const [type, code] of [[3, 1], [3, 3], [4, 0], [11, 0], [12, 0]] as const) {
      error(t, type, code, 0, 1);
    }
    t.recvNothing();
    expect(t.state).toBe("ESTABLISHED");
  });

  // The quoted packet is truncated or belongs to no connection.
  test("are dropped if the quoted packet is unusable (RFC 5927 4.1)", () => {
    const t = inEstablished();
    for (const body of [new Uint8Array(0), quote(t, 1).subarray(0, 27), new Uint8Array(40)]) {
      t.wire.inject(encodeIcmp("10.0.0.99", t.local, { type: 3, code: 3, rest: 0, body }));
    }
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("icmp-no-connection")).toBe(3);
  });
});
