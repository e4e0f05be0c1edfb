/**
 * The character generator service (RFC 864).
 *
 * @module
 */
import { z } from "zod";
import { bytes } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { TcpSocket } from "../core/api/types.ts";
import type { FlowContext } from "../core/api/udp/datagram.ts";
import { isSimpleService } from "./shared/simple_services.ts";

/** Options of {@link chargen}. */
export interface ChargenOptions {
  /** Maximum number of bytes sent on a connection. Default: no limit. */
  limit?: number | undefined;
}

/**
 * Sends lines of characters, over TCP and UDP (RFC 864).
 *
 * A connection sends as fast as the peer reads, until the peer closes its side or `limit` is
 * reached; data from the peer is discarded. A datagram is answered with as many characters as it
 * has bytes, at most 512, so the service cannot be used for amplification attacks with forged sources.
 * Datagrams from the ports of other simple services are not answered.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { chargen } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use([19, "udp/19"], chargen({ limit: 1_000_000 }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:19");
 * let bytes = 0;
 * for await (const chunk of socket) bytes += chunk.length;
 * if (bytes !== 1_000_000) throw new Error(`${bytes} bytes`);
 * ```
 */
export const chargen: PluginFactory<ChargenOptions> = definePlugin({
  name: "chargen",
  options: z.strictObject({ limit: bytes(0, Number.MAX_SAFE_INTEGER).optional() }),
  setup: ({ limit = Infinity }) => ({
    handle: ({ socket }) => serve(socket, limit),
    freeze: ({ socket }) => remaining.get(socket) ?? null,
    thaw: ({ socket }, left) => serve(socket, typeof left === "number" ? left : Infinity),
    flow: answer,
  }),
});

/** RFC 864: 0 to 512 characters per datagram. */
const MAX_REPLY_LENGTH = 512;

async function answer({ flow }: FlowContext): Promise<void> {
  if (isSimpleService(flow.remoteAddr.port)) return;
  let at = 0;
  for await (const { length } of flow) {
    await flow.send(PATTERNS.subarray(at, at + Math.min(length, MAX_REPLY_LENGTH)));
    // The next datagram continues with the next line.
    at = (at + LINE_LENGTH + 2) % PATTERN_LENGTH;
  }
}

/** Bytes that a connection may still send; absent: there is no limit. */
const remaining = new WeakMap<TcpSocket, number>();

async function serve(socket: TcpSocket, limit: number): Promise<void> {
  const stop = new AbortController();
  await Promise.all([
    discardInput(socket).finally(() => stop.abort()),
    generate(socket, limit, stop.signal),
  ]);
}

async function discardInput(socket: TcpSocket): Promise<void> {
  const chunk = new Uint8Array(4096);
  while (await socket.read(chunk) !== null);
}

async function generate(socket: TcpSocket, limit: number, stop: AbortSignal): Promise<void> {
  let left = limit;
  if (limit < Infinity) remaining.set(socket, left);
  while (left > 0 && !stop.aborted) {
    const next = left < PATTERNS.byteLength ? PATTERNS.subarray(0, left) : PATTERNS;
    left -= next.length;
    // A pending write counts as sent: its bytes move with the connection.
    if (limit < Infinity) remaining.set(socket, left);
    await socket.write(next);
  }
  await socket.closeWrite();
}

const PRINTABLE = 95;
const LINE_LENGTH = 72;

/** The pattern of RFC 864 repeats after 95 lines of 72 characters, each starting one character later. */
const PATTERN_LENGTH = PRINTABLE * (LINE_LENGTH + 2);
/** 254 KiB, since a large write costs hardly more than a small one. */
const PATTERNS = generatePattern(37);

function generatePattern(times: number): Uint8Array {
  const ring = Array.from({ length: PRINTABLE }, (_, index) => String.fromCharCode(32 + index));
  const characters = ring.join("").repeat(2);
  const lines = ring.map((_, start) => characters.slice(start, start + LINE_LENGTH));
  return new TextEncoder().encode(lines.map((line) => line + "\r\n").join("").repeat(times));
}
