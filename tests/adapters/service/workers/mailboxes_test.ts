import { describe, expect, test } from "bun:test";
import {
  connectMailboxes,
  Mailboxes,
  MAX_WAITING_BYTES,
} from "../../../../adapters/service/workers/mailboxes.ts";

const packet = (size: number, first = 0) => {
  const bytes = new Uint8Array(size);
  bytes[0] = first;
  return bytes;
};

/** Mailboxes of three shards; `arrival()` waits for the next packet of shard 1. */
function open() {
  const ends = connectMailboxes(3);
  let arrived = () => {};
  const boxes = ends.map((each, own) => new Mailboxes(own, each, () => own === 1 && arrived()));
  return {
    boxes: boxes as [Mailboxes, Mailboxes, Mailboxes],
    arrival: () => new Promise<void>((resolve) => arrived = resolve),
    close: () => boxes.forEach((box) => box.close()),
  };
}

describe("Mailboxes", () => {
  // Two shards send to a third: each packet arrives once, in order per sender.
  test("deliver packets to their shard", async () => {
    const { boxes: [zero, one, two], arrival, close } = open();
    const got: number[] = [];
    for (const first of [10, 11, 12]) {
      zero.send({ shard: 1, isMessage: false, packet: packet(40, first), segmentSize: 0 });
    }
    for (const first of [20, 21, 22]) {
      two.send({ shard: 1, isMessage: false, packet: packet(60, first), segmentSize: 1448 });
    }
    while (got.length < 6) {
      if (!one.hasArrived) await arrival();
      const parcel = one.take()!;
      got.push(parcel.packet[0]!);
      expect([parcel.packet.length, parcel.segmentSize])
        .toEqual(parcel.packet[0]! < 20 ? [40, 0] : [60, 1448]);
    }
    expect(got.filter((first) => first < 20)).toEqual([10, 11, 12]);
    expect(got.filter((first) => first >= 20)).toEqual([20, 21, 22]);
    expect([one.take(), zero.take(), two.take()]).toEqual([undefined, undefined, undefined]);
    close();
  });

  // Messages of other instances do not mix with packets, which may be captured or impaired on their way.
  test("deliver messages separately", async () => {
    const { boxes: [zero, one], close } = open();
    const arrived = new Promise<void>((resolve) => one.onMessage = resolve);
    zero.send({ shard: 1, isMessage: true, packet: packet(40, 7), segmentSize: 0 });
    await arrived;
    expect([one.hasArrived, one.hasMessage]).toEqual([false, true]);
    expect(one.takeMessage()?.[0]).toBe(7);
    expect([one.take(), one.takeMessage(), one.hasMessage]).toEqual([undefined, undefined, false]);
    close();
  });

  // The queue of a shard that does not receive is bounded for all senders together, and accepts
  // packets again once it receives.
  test("bound the bytes queued for a shard", async () => {
    const { boxes: [zero, one, two], arrival, close } = open();
    // With the header of a packet.
    const half = MAX_WAITING_BYTES / 2 - 8;
    const send = (from: Mailboxes, size: number) =>
      from.send({ shard: 1, isMessage: false, packet: packet(size), segmentSize: 0 });
    expect([send(zero, half), send(two, half), send(zero, 1), send(two, 1)])
      .toEqual([true, true, false, false]);
    expect(one.send({ shard: 2, isMessage: false, packet: packet(1), segmentSize: 0 })).toBe(true);
    if (!one.hasArrived) await arrival();
    one.take();
    expect([send(zero, half), send(two, 1)]).toEqual([true, false]);
    close();
  });
});
