import { expect, test } from "bun:test";
import { Subnet } from "../../core/wire/address.ts";
import { inEstablished } from "../support/dsl/builders.ts";
import { onesComplementSum } from "../support/dsl/encode.ts";
import { ApiPeer } from "./api_peer.ts";
import { peerPacket } from "./packets.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// With text in flight; a connection of the other family is not affected.
row(242, "when an address is removed, its connections end, and nothing is sent from it", () => {
  const t = inEstablished(internet);
  const other = inEstablished({ ...internet, version: 6 });
  expect(other.state).toBe("ESTABLISHED");
  t.write(1000);
  t.recv({ flags: "P.", length: 1000 });
  t.wire.step((stack) => stack.removeSubnet(Subnet.parse("10.0.0.2")!));
  t.recvNothing();
  expect(t.state).toBe("CLOSED");
  expect(t.tcb.error).toBe("ADDRESS_NOT_AVAILABLE");
  t.after(10_000);
  t.send({ data: 10 });
  t.recvNothing();
});

// The application aborts between two segments received together: the second draws a RST, or is
// processed by a new connection that has taken over the ports.
row(243, "segments that arrive as a connection closes are answered", () => {
  const t = inEstablished(internet);
  const text = new Uint8Array(100);
  const first = peerPacket(t, { seq: 1, ack: 1, flags: 24, text });
  const second = peerPacket(t, { seq: 101, ack: 1, flags: 24, text });
  const third = peerPacket(t, { seq: 1000, ack: 0, flags: 2 });
  t.wire.step((stack) => {
    stack.receive(first, first.length, "full", 0, t.wire.now);
    stack.tcp.abort(t.tcb);
    stack.receive(second, second.length, "full", 0, t.wire.now);
    stack.receive(third, third.length, "full", 0, t.wire.now);
  });
  const sent = t.wire.unread.splice(0).map(({ packet }) =>
    packet.protocol === "tcp" ? packet.flags : 0
  );
  expect(sent.filter((flags) => (flags & 4) !== 0).length).toBeGreaterThanOrEqual(1);
  t.after(1);
  t.wire.unread.length = 0;
  t.wire.inject(peerPacket(t, { seq: 2000, ack: 0, flags: 2 }));
  expect(t.wire.unread.shift()?.packet).toMatchObject({ flags: 0x12 });
});

// While FIN and text are in flight.
row(
  244,
  "a RST while closing ends cleanly",
  `${accepted()}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   close
  +0   > F. 101:101(0) ack 1
  +.01 < R. 1:1(0) ack 1
  +0   expect state CLOSED
  +0   expect connections 0
  +0   close
  +0   abort`,
);
row(244, "a RST while closing ends cleanly", "close() settles", async () => {
  await using peer = new ApiPeer();
  const { socket, syn } = await peer.connected();
  const closing = socket.close().then(() => "ended", (error) => error.code);
  await peer.sent();
  peer.reply(syn, { flags: 4, seq: 1, ack: 0 });
  expect(await peer.clock.runUntil(closing, { limitMs: 10 })).toBe("CONNECTION_RESET");
});

// NOP, record route and an unknown option, before a segment with text.
row(245, "unknown IP options are ignored", () => {
  const t = inEstablished(internet);
  const packet = peerPacket(t, { seq: 1, ack: 1, flags: 24, text: new Uint8Array(100).fill(7) });
  const options = Uint8Array.of(1, 7, 7, 4, 0, 0, 0, 0, 0x9e, 4, 1, 2, 0, 0, 0, 0);
  const longer = new Uint8Array(packet.length + options.length);
  longer.set(packet.subarray(0, 20));
  longer.set(options, 20);
  longer.set(packet.subarray(20), 20 + options.length);
  longer[0] = 0x40 | (20 + options.length) / 4;
  const view = new DataView(longer.buffer);
  view.setUint16(2, longer.length);
  view.setUint16(10, 0);
  view.setUint16(10, ~onesComplementSum(longer.subarray(0, 20 + options.length)) & 0xffff);
  t.wire.inject(longer);
  t.recv({ at: 40, ack: 101 });
});
