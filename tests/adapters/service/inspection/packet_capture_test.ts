import { describe, expect, test } from "bun:test";
import { pcapng } from "../../../../adapters/links/decorators/pcapng.ts";
import {
  type BlockInfo,
  blockLength,
  readBlock,
} from "../../../../adapters/links/decorators/pcapng/blocks.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { Captures } from "../../../../adapters/service/inspection/captures.ts";
import { mergeCaptures } from "../../../../adapters/service/inspection/merge_captures.ts";
import {
  MAX_WAITING_BYTES,
  PacketCapture,
} from "../../../../adapters/service/inspection/packet_capture.ts";
import type { OpenedStream } from "../../../../adapters/service/inspection/stream_source.ts";
import { pattern, udpPacket } from "../../../support/packets.ts";

const ROUTE = { from: "10.0.0.1", to: "10.0.0.2" };
const NOW = () => 1000;

function watchedLink() {
  const [left] = linkPair({ queue: 1_000_000 });
  const link = pcapng(left);
  const send = (bytes: number, count = 1) => {
    for (let i = 0; i < count; i++) link.send(udpPacket(ROUTE, pattern(bytes)));
  };
  return { link, send };
}

/** The blocks of a stream, read to its end. */
async function blocksOf(stream: OpenedStream): Promise<BlockInfo[]> {
  let rest = new Uint8Array(await new Response(stream).arrayBuffer());
  const blocks: BlockInfo[] = [];
  while (rest.length > 0) {
    const length = blockLength(rest)!;
    blocks.push(readBlock(rest.slice(0, length)));
    rest = rest.slice(length);
  }
  return blocks;
}

describe("PacketCapture", () => {
  // Packets as they pass, and at the end the number of those that are missing.
  test("streams packets, and ends with interface statistics", async () => {
    const { link, send } = watchedLink();
    const capture = new PacketCapture(link, undefined, NOW);
    const blocks = blocksOf(capture.stream);
    send(100);
    await Promise.resolve();
    send(100);
    capture.finish();
    expect((await blocks).map(({ type }) => type))
      .toEqual(["other", "other", "packet", "packet", "statistics"]);
    expect((await blocks).at(-1)!.dropped).toBe(0);
  });

  // A reader that has stopped takes a bounded amount of memory, and the link continues.
  test("drops what its reader does not take, and counts it", async () => {
    const { link, send } = watchedLink();
    const capture = new PacketCapture(link, "udp", NOW);
    send(1400, 20_000);
    const reader = capture.stream.getReader();
    let size = 0;
    let chunk = await reader.read();
    for (; size < MAX_WAITING_BYTES * 0.6; chunk = await reader.read()) size += chunk.value!.length;
    send(1400, 10); // there is room again: statistics, then the packets
    capture.finish();
    const rest: Uint8Array<ArrayBuffer>[] = [chunk.value!];
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      rest.push(value);
    }
    const body: OpenedStream = new ReadableStream({
      start(controller) {
        for (const one of rest) controller.enqueue(one);
        controller.close();
      },
    });
    const blocks = await blocksOf(body);
    expect(size + rest.reduce((sum, { length }) => sum + length, 0))
      .toBeLessThan(MAX_WAITING_BYTES + 100_000);
    const gap = blocks.findIndex(({ type }) => type === "statistics");
    expect(blocks.length - gap).toBe(1 + 10 + 1);
    const { dropped } = blocks[gap]!;
    expect(dropped).toBeGreaterThan(15_000);
    expect(blocks.at(-1)!.dropped).toBe(dropped);
  });

  // Nothing is recorded for a client that has gone.
  test("ends when its stream is cancelled", async () => {
    const { link, send } = watchedLink();
    const captures = new Captures(link);
    const stream = captures.open({ type: "capture", id: "one", filter: undefined });
    send(10);
    await stream.cancel();
    expect(captures.stop("one")).toBe(false);
    const other = captures.open({ type: "capture", id: "two", filter: "tcp" });
    expect(captures.stop("two")).toBe(true);
    expect((await blocksOf(other)).map(({ type }) => type)).toEqual([
      "other",
      "other",
      "statistics",
    ]);
    expect(() => captures.open({ type: "capture", id: "three", filter: "tpc" })).toThrow("unknown");
  });
});

describe("mergeCaptures", () => {
  // One interface for each worker; their packets may be interleaved in any order.
  test("makes one file of several captures", async () => {
    const [one, other] = [watchedLink(), watchedLink()];
    const captures = [one, other].map(({ link }) => new PacketCapture(link, undefined, NOW));
    const merged = mergeCaptures(captures.map(({ stream }) => stream), ["a", "b"]);
    one.send(100, 3);
    other.send(200, 2);
    for (const capture of captures) capture.finish();
    const blocks = await blocksOf(merged);
    expect(blocks.slice(0, 3).map(({ type }) => type)).toEqual(["other", "other", "other"]);
    const packets = blocks.filter(({ type }) => type === "packet");
    expect(packets.map(({ interfaceId }) => interfaceId).toSorted()).toEqual([0, 0, 0, 1, 1]);
    const statistics = blocks.filter(({ type }) => type === "statistics");
    expect(statistics.map(({ interfaceId }) => interfaceId).toSorted()).toEqual([0, 1]);
    expect(blocks.length).toBe(3 + 5 + 2);
  });

  test("passes cancelling on", async () => {
    const { link } = watchedLink();
    const captures = new Captures(link);
    const streams = ["a", "b"].map((id) =>
      captures.open({ type: "capture", id, filter: undefined })
    );
    const reader = mergeCaptures(streams, ["a", "b"]).getReader();
    await reader.read();
    await reader.cancel();
    expect([captures.stop("a"), captures.stop("b")]).toEqual([false, false]);
  });
});
