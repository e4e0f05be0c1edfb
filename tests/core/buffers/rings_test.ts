import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { MAX_HOLES, ReceiveRing } from "../../../core/buffers/receive_ring.ts";
import { Ring } from "../../../core/buffers/ring.ts";
import { MIN_BLOCK, RingPool } from "../../../core/buffers/ring_pool.ts";
import { SendRing } from "../../../core/buffers/send_ring.ts";

function randomBytes(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  seededRandom(seed).fill(bytes);
  return bytes;
}

describe("RingPool", () => {
  // Sizes are rounded up to powers of two, at least the smallest block.
  test.each([[1, MIN_BLOCK], [2048, 2048], [2049, 4096], [65_536, 65_536], [65_537, 131_072]])(
    "take(%d) returns %d bytes",
    (size, expected) => {
      expect(new RingPool().take(size).length).toBe(expected);
    },
  );

  // Returned blocks are reused, and no more than the limit is kept.
  test("keeps at most its limit of unused blocks", () => {
    const pool = new RingPool(8192);
    const blocks = [4096, 4096, 4096].map((size) => pool.take(size));
    for (const block of blocks) pool.give(block);
    expect(pool.held).toBe(8192);
    expect(pool.take(4000)).toBe(blocks[1]!);
    expect(pool.held).toBe(4096);
    expect(pool.take(5000).length).toBe(8192);
    expect(pool.held).toBe(4096);
  });
});

describe("Ring", () => {
  // Writing and dropping wraps the ring at every offset; growing preserves the contents.
  test("holds a window of a stream while it wraps and grows", () => {
    const random = seededRandom(3);
    const stream = randomBytes(4, 400_000);
    const ring = new Ring(new RingPool());
    let [first, end] = [0, 0];
    while (end < stream.length) {
      const count = Math.min(1 + random.uint32() % 3000, stream.length - end);
      ring.reserve(end - first + count, end - first);
      ring.write(end - first, stream, end, end + count);
      end += count;
      const dropped = random.uint32() % (end - first + 1);
      ring.advance(dropped);
      first += dropped;
      const copied = new Uint8Array(end - first);
      ring.copy(0, copied, 0, copied.length);
      expect(isEqual(copied, stream.subarray(first, end))).toBe(true);
    }
  });
});

describe("SendRing", () => {
  // Never more than the limit is accepted.
  test("push accepts as many bytes as fit", () => {
    const pool = new RingPool();
    const ring = new SendRing(pool, 5000);
    const bytes = randomBytes(5, 4000);
    expect(ring.push(bytes, 0)).toBe(4000);
    expect(ring.push(bytes, 0)).toBe(1000);
    expect(ring.push(bytes, 1000)).toBe(0);
    ring.drop(3500);
    expect(ring.push(bytes, 1000)).toBe(3000);
    expect(ring.length).toBe(4500);
    ring.drop(4500);
    expect(ring.ring.block.length).toBe(0);
    expect(pool.held).toBe(4096 + 8192);
  });

  // The memory of 8,192 bytes is used up to its end, then from its beginning; at the limit nothing is lent.
  test("fill appends what is written into its memory", () => {
    const ring = new SendRing(new RingPool(), 8192);
    const bytes = randomBytes(5, 13_692);
    let written = 0;
    const fill = (room: Uint8Array) => {
      room.set(bytes.subarray(written, written + room.length));
      written += room.length;
      return room.length;
    };
    expect(ring.fill(6000, fill)).toBe(6000);
    ring.drop(5500);
    expect(ring.fill(10_000, fill)).toBe(8192 - 6000);
    expect(ring.fill(10_000, fill)).toBe(5500);
    expect(ring.fill(10_000, fill)).toBe(0);
    const copied = new Uint8Array(ring.length);
    ring.ring.copy(0, copied, 0, copied.length);
    expect(isEqual(copied, bytes.subarray(5500))).toBe(true);
  });

  // What cannot be read adds nothing, and an empty stream holds no memory.
  test("fill that throws or writes nothing leaves it empty", () => {
    const pool = new RingPool();
    const ring = new SendRing(pool, 8192);
    const broken = () => {
      throw new Error("unreadable");
    };
    expect(() => ring.fill(100, broken)).toThrow("unreadable");
    expect(ring.fill(100, () => 0)).toBe(0);
    expect([ring.length, ring.ring]).toEqual([0, pool.noRing]);
  });

  // An empty stream returns its ring to the pool, from where the next stream takes it.
  test("returns its ring to the pool while it is empty", () => {
    const pool = new RingPool();
    const [one, other] = [new SendRing(pool, 5000), new SendRing(pool, 5000)];
    one.push(randomBytes(5, 100), 0);
    const { ring } = one;
    one.drop(100);
    expect(pool.freeRings).toEqual([ring]);
    other.push(randomBytes(6, 100), 0);
    expect(other.ring).toBe(ring);
    expect(pool.freeRings).toEqual([]);
    one.push(randomBytes(7, 100), 0);
    expect(one.ring).not.toBe(ring);
  });
});

describe("ReceiveRing", () => {
  // Two connections, one after the other, receive messages of one size and share one view, so that an idle handler
  // that refers to it costs nothing. A message of another size has a view of its own.
  test("lends one view for messages of one size", () => {
    const pool = new RingPool();
    const view = (text: string) => {
      const ring = new ReceiveRing(pool, 0);
      ring.store(0, new TextEncoder().encode(text), 0, text.length);
      const lent = ring.view();
      expect(new TextDecoder().decode(lent)).toBe(text);
      ring.consume(text.length);
      return lent;
    };
    const first = view("ahoy");
    expect(view("that")).toBe(first);
    expect(view("others")).not.toBe(first);
  });

  // Otherwise the 1,024 unused rings would keep as many large blocks.
  test("keeps no view of a large block", () => {
    const pool = new RingPool(0);
    const bytes = new Uint8Array(5000);
    const views = [0, 1].map(() => {
      const ring = new ReceiveRing(pool, 0);
      ring.store(0, bytes, 0, bytes.length);
      const lent = ring.view();
      ring.consume(bytes.length);
      return lent;
    });
    expect(views[1]).not.toBe(views[0]!);
  });

  // Segments arrive in random order, with duplicates and overlaps, and are read once and in order.
  // Compared with one flag per byte.
  test.each([0, -5000, 2 ** 31 - 5000])(
    "reassembles a stream that starts at %d (RFC 9293 3.10.7.4)",
    (origin) => {
      const random = seededRandom(6);
      const stream = randomBytes(7, 60_000);
      const pool = new RingPool();
      const ring = new ReceiveRing(pool, origin | 0);
      const has = new Uint8Array(stream.length + 1);
      let [read, next] = [0, 0];
      while (read < stream.length) {
        const start = next + (random.fraction() < 0.4 ? 0 : random.uint32() % 4000);
        const end = Math.min(start + 1 + random.uint32() % 1500, stream.length);
        if (start < end) {
          const grown = ring.store((origin + start) | 0, stream, start, end);
          if (grown >= 0) has.fill(1, start, end);
          const reached = has.indexOf(0, next);
          expect(grown).toBe(grown < 0 ? -1 : reached - next);
          next = grown < 0 ? next : reached;
        }
        expect(ring.readable).toBe(next - read);
        if (random.fraction() < 0.3) continue;
        const target = new Uint8Array(random.uint32() % 3000);
        const count = ring.read(target);
        expect(count).toBe(Math.min(target.length, next - read));
        expect(isEqual(target.subarray(0, count), stream.subarray(read, read + count)))
          .toBe(true);
        read += count;
        expect(ring.readSeq).toBe((origin + read) | 0);
      }
      expect(ring.isEmpty).toBe(true);
      expect(pool.held).toBeGreaterThan(0);
    },
  );

  // Every second byte arrives: the number of gaps is bounded, and all can be filled.
  test("keeps at most MAX_HOLES out-of-order ranges", () => {
    const ring = new ReceiveRing(new RingPool(), 0);
    const stream = randomBytes(8, 2 * MAX_HOLES + 2);
    for (let i = 0; i < MAX_HOLES; i++) {
      expect(ring.store(1 + 2 * i, stream, 1 + 2 * i, 2 + 2 * i)).toBe(0);
    }
    const beyond = 1 + 2 * MAX_HOLES;
    expect(ring.store(beyond, stream, beyond, beyond + 1)).toBe(-1);
    expect(ring.outOfOrder!.count).toBe(MAX_HOLES);
    for (let i = 0; i < MAX_HOLES; i++) {
      expect(ring.store(2 * i, stream, 2 * i, 2 * i + 1)).toBe(2);
    }
    const all = new Uint8Array(stream.length);
    expect(ring.read(all)).toBe(2 * MAX_HOLES);
    expect(isEqual(all.subarray(0, 2 * MAX_HOLES), stream.subarray(0, 2 * MAX_HOLES)))
      .toBe(true);
  });

  // An empty ring holds no memory, nor does one whose gaps will never be filled.
  test("returns its memory when nothing is left to read", () => {
    const pool = new RingPool();
    const ring = new ReceiveRing(pool, 0);
    const bytes = randomBytes(9, 3000);
    ring.store(0, bytes, 0, 3000);
    expect(pool.held).toBe(0);
    ring.read(new Uint8Array(3000));
    expect(pool.held).toBe(4096);
    ring.store(3500, bytes, 0, 100);
    expect(pool.held).toBeLessThan(4096 + 2048);
    ring.dropOutOfOrder();
    expect(ring.isEmpty).toBe(true);
    const before = pool.held;
    ring.store(3000, bytes, 0, 3000);
    ring.clear();
    expect(ring.readable).toBe(0);
    expect(pool.held).toBe(Math.max(before, 4096));
  });
});

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
