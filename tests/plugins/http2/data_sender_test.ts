import { describe, expect, test } from "bun:test";
import { DataSender } from "../../../plugins/http2/data_sender.ts";
import { FrameWriter } from "../../../plugins/http2/frames.ts";
import { Http2Stream } from "../../../plugins/http2/stream.ts";
import { ServerFrames } from "./support.ts";

/** A sender and the frames it has sent; the connection's window is 65,535. */
function dataSender() {
  const output = new FrameWriter(1024);
  const closed: number[] = [];
  const sender = new DataSender(output, (stream, endsStream) => {
    if (!endsStream) return;
    stream.isLocalClosed = true;
    closed.push(stream.id);
  });
  const frames = new ServerFrames(true);
  return {
    sender,
    output,
    closed,
    sent() {
      frames.read(output.bytes.slice(0, output.length));
      output.length = 0;
      return frames.take();
    },
  };
}

/** A stream with a send window of `window`. */
function streamOf(id: number, window: number): Http2Stream {
  return new Http2Stream(id, window, 1000, true, 0);
}

describe("DataSender", () => {
  // 10 bytes into a window of 4: the rest follows when the window opens.
  test("sends no more than the stream's window (RFC 9113 6.9.1)", () => {
    const { sender, sent, closed } = dataSender();
    const stream = streamOf(1, 4);
    expect(sender.send(stream, new Uint8Array(10), true)).toBe(false);
    expect(sent()).toEqual(["DATA 1 4"]);
    sender.pump();
    expect(sent()).toEqual([]);
    stream.sendWindow += 100;
    sender.pump();
    expect(sent()).toEqual(["DATA 1 END_STREAM 6"]);
    expect(closed).toEqual([1]);
  });

  // Three streams with 50,000 bytes each: the connection's window has 15,535 for the second, then 30,000
  // more for the second and the third.
  test("serves streams round robin within the connection's window (RFC 9113 5.2)", () => {
    const { sender, sent } = dataSender();
    const data = new Uint8Array(50_000);
    expect(sender.send(streamOf(1, 1_000_000), data, true)).toBe(true);
    expect(sender.send(streamOf(3, 1_000_000), data, true)).toBe(false);
    expect(sender.send(streamOf(5, 1_000_000), data, true)).toBe(false);
    sent();
    expect(sender.openWindow(30_000)).toBe(true);
    sender.pump();
    expect(sent()).toEqual(["DATA 3 16384", "DATA 5 13616"]);
  });

  // A connection's window has a maximum; exceeding it is an error of the peer.
  test("refuses a window above 2^31 - 1 (RFC 9113 6.9.1)", () => {
    const { sender } = dataSender();
    expect(sender.openWindow(2 ** 31 - 1 - 65_535)).toBe(true);
    expect(sender.openWindow(1)).toBe(false);
  });

  // A stream that was reset with data pending.
  test("drops the data of a closed stream", () => {
    const { sender, sent } = dataSender();
    const stream = streamOf(1, 0);
    sender.send(stream, new Uint8Array(10), true);
    sender.drop(stream);
    stream.sendWindow = 100;
    sender.pump();
    expect(sent()).toEqual([]);
  });

  // Text that fits is written at once; text that does not becomes pending data.
  test("sends text", () => {
    const { sender, sent } = dataSender();
    const stream = streamOf(1, 6);
    expect(sender.sendText(stream, "ahoy", false)).toBe(true);
    expect(sender.sendText(stream, "ahoy", true)).toBe(false);
    expect(sent()).toEqual(["DATA 1 4", "DATA 1 2"]);
  });
});
