import { describe, expect, test } from "bun:test";
import { deriveSocket, unread } from "../../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../../core/api/tcp/read_chunk.ts";
import type { Clock, Handler, Plugin, TcpSocket } from "../../../core/api/types.ts";
import { shape } from "../../../plugins/middleware/shape.ts";
import { timeout } from "../../../plugins/middleware/timeout.ts";
import { trace } from "../../../plugins/middleware/trace.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { Dice } from "../../fuzz/dice.ts";
import { dial, timersLeft } from "./support.ts";

const SEEDS = 150;

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(clock.now() + ms, resolve));
}

/** Random middleware, with or without a derived socket. */
function anyLayer(dice: Dice): Handler | Plugin {
  const size = 1 + dice.below(3000);
  return dice.of<() => Handler | Plugin>([
    () => shape({ sendRate: 1_000_000, receiveRate: 1_000_000, burst: size }),
    () => shape({ sendRate: 500_000 }),
    () => trace({ onEvent: () => {} }),
    () => timeout({ idleMs: 3_600_000 }),
    () => ({ socket }, next) => next(deriveSocket(socket, {})),
    () => ({ socket }, next) =>
      next(deriveSocket(socket, { readChunk: () => readChunk(socket, size) })),
    () => ({ socket, clock }, next) =>
      next(deriveSocket(socket, {
        write: async (bytes) => {
          await pause(clock, dice.below(20));
          await socket.write(bytes);
        },
      })),
    () => async ({ socket }, next) => {
      const head = await readChunk(socket, size);
      await next(head === undefined ? socket : unread(socket, head));
    },
  ])();
}

/** Reads to the end in a random way. */
async function readAll(socket: TcpSocket, dice: Dice): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const way = dice.below(4);
  if (way === 0) { for await (const chunk of socket) chunks.push(chunk); }
  else if (way === 1) { for await (const view of socket.views()) chunks.push(view.slice()); }
  else if (way === 2) { for await (const chunk of socket.readable) chunks.push(chunk); }
  else {
    const target = new Uint8Array(1 + dice.below(5000));
    for (let count = await socket.read(target); count !== null; count = await socket.read(target)) {
      chunks.push(target.slice(0, count));
    }
  }
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** Writes `bytes` in pieces, waiting for each or for none, and may half-close. */
async function writeAll(socket: TcpSocket, bytes: Uint8Array, dice: Dice, clock: Clock) {
  const pending: Promise<unknown>[] = [];
  const waits = dice.chance(0.5);
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + 1 + dice.below(20_000));
    at += piece.length;
    const written = socket.write(piece);
    written.catch(() => {});
    if (waits) await written;
    else pending.push(written);
    if (dice.chance(0.1)) await pause(clock, dice.below(200));
  }
  const written = Promise.all(pending);
  written.catch(() => {});
  return { written };
}

function bytesOf(dice: Dice): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(dice.chance(0.1) ? 0 : dice.below(100_000));
  dice.random.fill(bytes);
  return bytes;
}

/** One connection through a random chain; both sides write, read and end in a random order. */
async function play(seed: number): Promise<void> {
  const dice = new Dice(seed);
  await using pair = new StackPair();
  const { clock } = pair;
  const [question, answer] = [bytesOf(dice), bytesOf(dice)];
  const layers = Array.from({ length: 1 + dice.below(4) }, () => anyLayer(dice));
  let received: Uint8Array | undefined;

  const handler: Handler = async ({ socket }) => {
    const read = readAll(socket, dice).then((all) => received = all);
    // Answers at once, or after the whole request.
    if (dice.chance(0.5)) await read;
    const { written } = await writeAll(socket, answer, dice, clock);
    const ending = dice.below(3);
    if (ending === 0) await socket.closeWrite();
    if (ending === 1) await written;
    await read;
  };
  pair.server.use(7, layers[0]!, ...layers.slice(1), handler);

  const client = dial(pair, 7);
  const replied = readAll(client, dice);
  await pair.run(
    writeAll(client, question, dice, clock).then(async ({ written }) => {
      if (dice.chance(0.5)) await written;
      if (dice.chance(0.5)) await pause(clock, dice.below(500));
      await client.closeWrite();
    }),
  );
  const reply = await pair.run(replied);
  await pair.run(client.close());
  await clock.advance(10);
  expect([reply.length, received?.length]).toEqual([answer.length, question.length]);
  if (!same(reply, answer) || !same(received!, question)) throw new Error("the bytes differ");
  expect(pair.lines.filter(({ level }) => level === "error")).toEqual([]);
  expect(pair.server.stats()["connections"]).toBe(0);
}

/** One connection through a random chain that one side aborts in the middle. */
async function breakOff(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const pair = new StackPair();
  const { clock } = pair;
  const layers = Array.from({ length: 1 + dice.below(4) }, () => anyLayer(dice));
  const afterMs = dice.below(300);
  const how = dice.of(["the peer aborts", "the handler aborts", "the handler throws"]);

  const handler: Handler = async ({ socket }) => {
    const working = [readAll(socket, dice), writeAll(socket, bytesOf(dice), dice, clock)]
      .map((work) => Promise.resolve<unknown>(work).catch(() => {}));
    await pause(clock, afterMs);
    if (how === "the handler throws") throw new Error("on purpose");
    if (how === "the handler aborts") return socket.abort(new Error("on purpose"));
    await Promise.all(working);
  };
  pair.server.use(7, layers[0]!, ...layers.slice(1), handler);

  const client = dial(pair, 7);
  const ended = Promise.allSettled([
    readAll(client, dice),
    writeAll(client, bytesOf(dice), dice, clock),
  ]);
  await pair.run(client.opened);
  await clock.advance(afterMs);
  if (how === "the peer aborts") client.abort();
  await clock.advance(60_000);
  client.abort();
  await clock.advance(10);
  await ended;
  expect(pair.server.stats()["connections"]).toBe(0);
  const failures = pair.lines.filter(({ level }) => level === "error");
  if (how !== "the handler throws") expect(failures).toEqual([]);
  for (const { fields } of failures) expect(fields).toMatchObject({ error: "on purpose" });
  expect(await timersLeft(pair)).toBe(0);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

async function forEachSeed(run: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await run(seed).catch((error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    });
  }
}

describe("chains of middleware", () => {
  // Layers, sizes, ways to read, pauses, and the order of closing come from a seed. No byte may be missing.
  test(
    "lose, duplicate and reorder nothing, for every order of closing",
    () => forEachSeed(play),
    30_000,
  );

  // A reset, an abort, or an error in the middle comes from a seed. Nothing hangs, and nothing is left.
  test("end when one side aborts", () => forEachSeed(breakOff), 30_000);
});
