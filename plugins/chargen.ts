/**
 * The character generator service (RFC 864).
 *
 * @module
 */
import { z } from "zod";
import type { TcpSocket } from "../core/api/types.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";

/** What {@link chargen} can be told. */
export interface ChargenOptions {
  /** Bytes to send, at most. Default: no limit. */
  limit?: number | undefined;
}

/**
 * Sends lines of characters as fast as they are taken, until the peer closes its side or `limit` is
 * reached; what it receives is discarded (RFC 864).
 *
 * @example
 * ```ts
 * import { chargen } from "@berth/berth";
 *
 * chargen({ limit: 1_000_000 }).name; // "chargen": for stack.use(19, chargen({ limit: 1_000_000 }))
 * ```
 */
export const chargen: PluginFactory<ChargenOptions> = definePlugin({
  name: "chargen",
  options: z.strictObject({ limit: z.int().nonnegative().optional() }),
  setup: ({ limit = Infinity }) => async ({ socket }) => {
    const stop = new AbortController();
    await Promise.all([
      discardInput(socket).finally(() => stop.abort()),
      generate(socket, limit, stop.signal),
    ]);
  },
});

async function discardInput(socket: TcpSocket): Promise<void> {
  const chunk = new Uint8Array(4096);
  while (await socket.read(chunk) !== null);
}

async function generate(socket: TcpSocket, limit: number, stop: AbortSignal): Promise<void> {
  for (let left = limit; left > 0 && !stop.aborted; left -= PATTERN.byteLength) {
    await socket.write(left < PATTERN.byteLength ? PATTERN.subarray(0, left) : PATTERN);
  }
  await socket.closeWrite();
}

const PRINTABLE = 95;
const LINE_LENGTH = 72;

/** Where the pattern of RFC 864 begins again: 95 lines of 72 characters, each a character further. */
const PATTERN = generatePattern();

function generatePattern(): Uint8Array {
  const ring = Array.from({ length: PRINTABLE }, (_, index) => String.fromCharCode(32 + index));
  const characters = ring.join("").repeat(2);
  const lines = ring.map((_, start) => characters.slice(start, start + LINE_LENGTH));
  return new TextEncoder().encode(lines.map((line) => line + "\r\n").join(""));
}
