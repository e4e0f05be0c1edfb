import { describe, expect, test } from "bun:test";
import {
  type LoggedEvent,
  SequenceHistory,
  SequenceReader,
} from "../../../../adapters/pages/shared/sequence.ts";

const snapshot = (data: Record<string, number>): LoggedEvent => ({
  time: 0,
  name: "tcp:snapshot",
  data: { iss: 99, irs: 499, snd_una: 100, rcv_nxt: 500, ...data },
});
const segment = (
  name: "sent" | "received",
  time: number,
  header: Record<string, unknown>,
  more: Record<string, unknown> = {},
): LoggedEvent => ({
  time,
  name: `tcp:segment_${name}`,
  data: { header: { seq: 0, window: 1000, length: 0, flags: ["ACK"], ...header }, ...more },
});

describe("SequenceReader", () => {
  // Numbers count from the first byte; an overlap with what was sent is a retransmission.
  test("reads what was sent, and how it was acknowledged", () => {
    const reader = new SequenceReader("sent");
    const { segments, acks, sacks } = reader.take([
      snapshot({}),
      segment("sent", 1000, { seq: 100, length: 10, ack: 500 }),
      segment("sent", 1001, { seq: 110, length: 10, ack: 500 }),
      segment("received", 1050, { ack: 100, options: { sack: [[110, 120]] } }),
      segment("sent", 1051, { seq: 100, length: 10, ack: 500 }),
      segment("received", 1100, { ack: 120, seq: 500, length: 77 }),
      segment("received", 1101, { ack: 1 }, { drop_reason: "tcp.checksum" }),
    ]);
    expect(segments).toEqual([[1, 0, 10, false], [1.001, 10, 20, false], [1.051, 0, 10, true]]);
    expect(acks).toEqual([[1.05, 0, 1000], [1.1, 20, 1020]]);
    expect(sacks).toEqual([[1.05, 10, 20]]);
  });

  test("reads what was received", () => {
    const reader = new SequenceReader("received");
    const { segments, acks } = reader.take([
      snapshot({}),
      segment("received", 5, { seq: 500, length: 10, ack: 100 }),
      segment("sent", 6, { seq: 100, length: 99, ack: 510, window: 50 }),
    ]);
    expect(segments).toEqual([[0.005, 0, 10, false]]);
    expect(acks).toEqual([[0.006, 10, 60]]);
  });

  // The peer's number is not known before its SYN; the own SYN has no place in the plot.
  test("begins with the handshake", () => {
    const events = [
      snapshot({ iss: 99, snd_una: 99, irs: 0, rcv_nxt: 0 }),
      segment("sent", 0, { seq: 99, flags: ["SYN"] }),
      segment("received", 10, { seq: 4_000_000_000, ack: 100, flags: ["SYN", "ACK"] }),
      segment("sent", 10, { seq: 100, length: 5, ack: 4_000_000_001 }),
      segment("received", 20, { seq: 4_000_000_001, length: 7, ack: 105 }),
    ];
    const sent = new SequenceReader("sent").take(events);
    expect(sent.segments).toEqual([[0.01, 0, 5, false]]);
    expect(sent.acks).toEqual([[0.01, 0, 0], [0.02, 5, 1005]]);
    const received = new SequenceReader("received").take(events);
    expect(received.segments).toEqual([[0.02, 0, 7, false]]);
    expect(received.acks).toEqual([[0.01, 0, 1000]]);
  });

  // Numbers do not wrap after 4 GiB, nor in a log that begins in the middle of a connection.
  test("counts on when sequence numbers wrap", () => {
    const reader = new SequenceReader("sent");
    const first = reader.take([
      snapshot({ iss: 2 ** 32 - 101, snd_una: 2 ** 32 - 20 }),
      segment("sent", 0, { seq: 2 ** 32 - 10, length: 20 }),
    ]);
    const second = reader.take([
      segment("sent", 0, { seq: 10, length: 5 }),
      segment("received", 0, { ack: 10 }),
    ]);
    expect(first.segments).toEqual([[0, 90, 110, false]]);
    expect(second.segments).toEqual([[0, 110, 115, false]]);
    expect(second.acks).toEqual([[0, 110, 1110]]);
  });
});

describe("SequenceHistory", () => {
  test("keeps the last seconds, and a bounded number of points", () => {
    const history = new SequenceHistory(2, 3);
    const points = (...times: number[]) => ({
      segments: times.map((time) => [time, 0, 1, false] as const),
      acks: times.map((time) => [time, 0, 1] as const),
      sacks: [],
    });
    history.add(points(1, 2, 3), 3);
    history.add(points(4), 4);
    expect(history.segments.map(([time]) => time)).toEqual([2, 3, 4]);
    history.add(points(4.1, 4.2, 4.3), 4.3);
    expect(history.acks.map(([time]) => time)).toEqual([4.1, 4.2, 4.3]);
    history.add(points(), 100);
    expect(history.segments).toEqual([]);
  });
});
