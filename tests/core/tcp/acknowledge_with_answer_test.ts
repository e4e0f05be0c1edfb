import { describe, expect, test } from "bun:test";
import { inEstablished } from "../../support/dsl/builders.ts";

/** A connection of profile `local` whose reader passes the bytes on, and answers later. */
function relayed(tcp: object = {}) {
  const t = inEstablished({ tcp });
  t.delayAcks();
  return t;
}

describe("acknowledgements that wait for an answer", () => {
  // A request is read; its answer comes 3 ms later. One segment instead of two.
  test("the answer carries the ACK (RFC 9293 3.8.6.3)", () => {
    const t = relayed();
    t.send({ data: 64 });
    expect(t.read()).toBe(64);
    t.recvNothing();
    t.after(3);
    t.write("answer");
    t.recv({ flags: "P.", length: 6, ack: 65 });
    t.send({ seq: 65, ack: 7 });
    t.after(1000);
    t.recvNothing();
  });

  // Otherwise a peer with Nagle's algorithm would hold its next bytes back.
  test("an ACK without an answer is sent after 10 ms", () => {
    const t = relayed();
    t.send({ data: 64 });
    expect(t.read()).toBe(64);
    t.recvNothing();
    t.after(9);
    t.recvNothing();
    t.after(1);
    t.recv({ flags: ".", ack: 65 });
  });

  // The delay begins with the first byte that is not acknowledged.
  test("further bytes do not put the ACK off", () => {
    const t = relayed();
    t.send({ data: 64 });
    expect(t.read()).toBe(64);
    t.after(6);
    t.send({ data: 64 });
    expect(t.read()).toBe(64);
    t.recvNothing();
    t.after(4);
    t.recv({ flags: ".", ack: 129 });
    t.recvNothing();
  });

  // A stream has no answer.
  test("two full segments are acknowledged at once (RFC 9293 3.8.6.3, SHLD-19)", () => {
    const t = relayed();
    t.send({ data: 1460 });
    t.send({ data: 1460 });
    expect(t.read()).toBe(2920);
    t.recv({ flags: ".", ack: 2921 });
  });

  // RFC 5681 4.2: a peer in recovery needs each ACK at once.
  test("bytes that fill a hole are acknowledged at once", () => {
    const t = relayed();
    t.send({ seq: 65, data: 64 });
    t.recv({ flags: ".", ack: 1 });
    t.send({ seq: 1, data: 64 });
    t.recv({ flags: ".", ack: 1 });
    expect(t.read()).toBe(128);
    t.recv({ flags: ".", ack: 129 });
  });

  // The peer closes; the FIN of the other side follows.
  test("our FIN carries the ACK of the peer's", () => {
    const t = relayed();
    t.send({ flags: "F." });
    t.recvNothing();
    t.after(3);
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 2 });
    t.send({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
  });

  // The other side goes on sending.
  test("a FIN that is not answered is acknowledged after 10 ms", () => {
    const t = relayed();
    t.send({ flags: "F.", data: 64 });
    expect(t.read()).toBe(64);
    t.recvNothing();
    t.after(10);
    t.recv({ flags: ".", ack: 66 });
  });

  // The longer delay of the profile stays.
  test("profile internet keeps its own delay", () => {
    const t = relayed({ acknowledge: "on-arrival", delayedAckMs: 40 });
    t.send({ data: 64 });
    t.after(39);
    t.recvNothing();
    t.after(1);
    t.recv({ flags: ".", ack: 65 });
  });
});
