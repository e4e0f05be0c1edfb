/**
 * Conformance suite for every link.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect } from "bun:test";
import { type ChecksumState, type Link, PacketBatch } from "../../../core/stack/link.ts";
import { concatenate } from "../../../core/wire/bytes.ts";
import {
  hasRightChecksum,
  pattern,
  type Route,
  tcpPacket,
  tcpPayload,
  udpPacket,
  udpPayload,
  wrapPayload,
} from "../../support/packets.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";

/** Two links, each of which receives what the other sends. */
export interface JoinedLinks {
  readonly left: Link;
  readonly right: Link;
  /** Addresses of packets from left to right; swapped in the other direction. */
  readonly routes: readonly Route[];
  /** Packets arrive in later turns of the event loop, and a short flood may fit in the queue. */
  readonly isSlow?: boolean;
}

/** A received packet, copied out of the batch. */
interface Received {
  readonly packet: Uint8Array;
  readonly checksum: ChecksumState;
  readonly segmentSize: number;
}

/** Runs the suite; `join` is called for each test, and its links are closed afterwards. */
export function linkConformance(
  name: string,
  join: () => Promise<JoinedLinks>,
  ...requirements: readonly Requirement[]
): void {
  const test = (what: string, body: () => Promise<void>) => testRequiring(requirements, what, body);
  describe(`${name} as a link`, () => {
    let joined: JoinedLinks;
    let left: Link;
    let right: Link;
    let route: Route;

    beforeEach(async () => {
      joined = await join();
      ({ left, right } = joined);
      route = joined.routes[0]!;
    });
    afterEach(async () => {
      await left.close();
      await right.close();
    });

    // The smallest and the largest packet, in each direction and family.
    test("carries packets whole and in order", async () => {
      for (const { from, to } of joined.routes) {
        const ipHeader = from.includes(":") ? 40 : 20;
        const most = Math.min(left.features.mtu, right.features.mtu) - ipHeader - 8;
        const payloads = [0, 1, 100, 255, 1000, most].map((size) => pattern(size));
        for (const payload of payloads) {
          expect(left.send(udpPacket({ from, to }, payload))).toBe(true);
          expect(right.send(udpPacket({ from: to, to: from }, payload))).toBe(true);
        }
        expect(await udpPayloads(right, payloads.length)).toEqual(payloads);
        expect(await udpPayloads(left, payloads.length)).toEqual(payloads);
      }
    });

    // A send ring wraps: the second piece of payload is at the start of the buffer.
    test("send joins a payload in two pieces", async () => {
      const payload = pattern(1000);
      const packet = udpPacket(route, payload);
      wrapPayload(packet, 300);
      left.send(packet);
      expect(await udpPayloads(right, 1)).toEqual([payload]);
    });

    // The packet object and the ring are reused.
    test("send copies the packet", async () => {
      const packet = udpPacket(route, pattern(1000));
      left.send(packet);
      packet.payload.fill(0);
      packet.header.fill(0);
      expect(await udpPayloads(right, 1)).toEqual([pattern(1000)]);
    });

    // receive never waits.
    test("receive returns 0 if there are no packets", async () => {
      await receiveAll(right);
      expect(right.receive(new PacketBatch(4))).toBe(0);
    });

    // The batch holds two packets; five were sent.
    test("receive fills the batch, and returns the rest later", async () => {
      const payloads = [1, 2, 3, 4, 5].map((seed) => pattern(10, seed));
      for (const payload of payloads) left.send(udpPacket(route, payload));
      const batch = new PacketBatch(2);
      const got: Uint8Array[] = [];
      while (got.length < payloads.length) {
        await right.ready();
        const count = right.receive(batch);
        expect(count).toBeLessThanOrEqual(2);
        got.push(...udpPayloadsIn(copies(batch, count)));
      }
      expect(got).toEqual(payloads);
    });

    // As in a driver: it waits first, then a packet arrives.
    test("ready resolves when a packet arrives", async () => {
      await receiveAll(right);
      const [first, second] = [right.ready(), right.ready()];
      left.send(udpPacket(route, pattern(10)));
      expect(await first).toBe(true);
      expect(await second).toBe(true);
      expect(await udpPayloads(right, 1)).toEqual([pattern(10)]);
    });

    // Without receive the queue fills up; after receive the link works again.
    test("send never waits, and drops packets when the queue is full", async () => {
      for (let i = 0; i < 7000; i++) left.send(udpPacket(route, new Uint8Array([i, i >>> 8])));
      const received = joined.isSlow
        ? await receiveUntilSilence(right)
        : udpPayloadsIn(await receiveAll(right));
      const numbers = received.map(([low, high]) => low! + 256 * high!);
      expect(numbers.length).toBeGreaterThan(0);
      if (!joined.isSlow) expect(numbers.length).toBeLessThan(7000);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      left.send(udpPacket(route, pattern(10)));
      expect(await udpPayloads(right, 1)).toEqual([pattern(10)]);
    });

    // A sender that keeps its packets while the link is full loses none, and is notified of room
    // once.
    test("a link with isFull drops nothing until then, and announces room", async () => {
      if (left.isFull === undefined) return;
      let notified = 0;
      const isFull = () => left.isFull!(() => notified++);
      let sent = 0;
      while (!isFull() && sent < 1_000_000) {
        expect(left.send(udpPacket(route, pattern(10)))).toBe(true);
        sent++;
      }
      expect(left.send(udpPacket(route, pattern(10)))).toBe(false);
      expect([isFull(), notified]).toEqual([true, 0]);
      const batch = new PacketBatch(1);
      expect(right.receive(batch)).toBe(1);
      expect(notified).toBe(1);
      expect(right.receive(batch)).toBe(1);
      expect([isFull(), notified]).toEqual([false, 1]);
      expect(udpPayloadsIn(await receiveAll(right)).length).toBe(sent - 2);
    });

    // Otherwise a sender would wait for room forever.
    test("closing either end of a full link announces room", async () => {
      if (left.isFull === undefined) return;
      for (let i = 0; i < 1_000_000 && left.send(udpPacket(route, pattern(10))); i++);
      let notified = 0;
      expect(left.isFull(() => notified++)).toBe(true);
      await right.close();
      expect([left.isFull(() => notified++), notified]).toEqual([false, 1]);
      await left.close();
      expect([left.isFull(() => notified++), notified]).toEqual([false, 1]);
    });

    // The checksum state matches the packet's bytes.
    test("a complete checksum arrives complete", async () => {
      left.send(udpPacket(route, pattern(1000)));
      const received = await receiveUntil(right, (all) => udpPayloadsIn(all).length === 1);
      const { checksum, packet } = received.find((each) => udpPayload(each.packet))!;
      expect(checksum).not.toBe("partial");
      expect(hasRightChecksum(packet)).toBe(true);
    });

    // A link with checksum offload delivers partial checksums marked as partial, or completed.
    test("a partial checksum arrives marked, or completed", async () => {
      if (!left.features.checksumOffload) return;
      for (const each of joined.routes) {
        left.send(tcpPacket(each, pattern(1000)));
        const received = await receiveUntil(right, (all) => tcpPayloadsIn(all).length === 1);
        const { checksum, packet } = received.find((each) => tcpPayload(each.packet))!;
        expect(checksum === "partial").toBe(!hasRightChecksum(packet));
      }
    });

    // Segmented after the link or by the receiver; the first segment has CWR.
    test("a super-packet's payload arrives whole", async () => {
      if (left.features.maxSuperPacket === 0) return;
      for (const [i, each] of joined.routes.entries()) {
        const payload = pattern(left.features.maxSuperPacket - 1000);
        left.send(tcpPacket(each, payload, 1400, i === 0 ? 0x90 : 0x10));
        const received = await receiveUntil(
          right,
          (all) => totalLength(tcpPayloadsIn(all)) >= payload.length,
        );
        expect(concatenate(tcpPayloadsIn(received))).toEqual(payload);
        for (const { packet, segmentSize, checksum } of received) {
          if (tcpPayload(packet) === undefined) continue;
          const isLarge = packet.length > right.features.mtu;
          expect(segmentSize).toBe(isLarge ? 1400 : 0);
          expect(isLarge).toBe(right.features.maxSuperPacket > 0);
          expect(checksum === "partial").toBe(!hasRightChecksum(packet));
        }
      }
    });

    // A pending ready() resolves with false.
    test("close ends a pending ready", async () => {
      await receiveAll(right);
      const waiting = right.ready();
      await right.close();
      expect(await waiting).toBe(false);
    });

    // After close() no call throws.
    test("a closed link neither sends nor receives", async () => {
      left.send(udpPacket(route, pattern(10)));
      await right.close();
      await right.close();
      expect(right.receive(new PacketBatch(4))).toBe(0);
      expect(await right.ready()).toBe(false);
      expect(right.send(udpPacket(route, pattern(10)))).toBe(false);
    });
  });
}

/** Receives `count` UDP packets; returns their payloads. */
async function udpPayloads(link: Link, count: number): Promise<Uint8Array[]> {
  return udpPayloadsIn(await receiveUntil(link, (all) => udpPayloadsIn(all).length >= count));
}

/** Receives until a condition holds; the kernel's own packets are included. */
async function receiveUntil(
  link: Link,
  isEnough: (received: Received[]) => boolean,
): Promise<Received[]> {
  const received: Received[] = [];
  while (!isEnough(received)) {
    if (!await link.ready()) throw new Error("closed");
    received.push(...await receiveAll(link));
  }
  return received;
}

/**
 * Receives UDP payloads until none arrives for a while, which is the only sign of the end on a slow
 * link.
 */
async function receiveUntilSilence(link: Link): Promise<Uint8Array[]> {
  const payloads: Uint8Array[] = [];
  for (let empty = 0; empty < 50;) {
    const received = udpPayloadsIn(await receiveAll(link));
    payloads.push(...received);
    empty = received.length === 0 ? empty + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return payloads;
}

/** Receives the packets available now. */
async function receiveAll(link: Link): Promise<Received[]> {
  // A turn of the event loop lets the kernel finish on another processor.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const batch = new PacketBatch(64);
  const received: Received[] = [];
  for (let count = link.receive(batch); count > 0; count = link.receive(batch)) {
    received.push(...copies(batch, count));
  }
  return received;
}

function copies(batch: PacketBatch, count: number): Received[] {
  return Array.from({ length: count }, (_, i) => ({
    packet: batch.packets[i]!.slice(0, batch.sizes[i]),
    checksum: batch.checksums[i]!,
    segmentSize: batch.segmentSizes[i]!,
  }));
}

function udpPayloadsIn(received: readonly Received[]): Uint8Array[] {
  return received.map(({ packet }) => udpPayload(packet)).filter((each) => each !== undefined);
}

function tcpPayloadsIn(received: readonly Received[]): Uint8Array[] {
  return received.map(({ packet }) => tcpPayload(packet)).filter((each) => each !== undefined);
}

function totalLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
