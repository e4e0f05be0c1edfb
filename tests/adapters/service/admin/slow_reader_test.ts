import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import process from "node:process";
import {
  type BlockInfo,
  blockLength,
  readBlock,
} from "../../../../adapters/links/decorators/pcapng/blocks.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { concatenate } from "../../../../core/wire/bytes.ts";
import { endRuns, RUN, Run } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** Much more than all buffers between the service and its reader hold. */
const BYTES = 24_000_000;

/** Number of messages whose events fill the buffers. */
const MESSAGES = 4000;

let folder: TemporaryFolder;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await endRuns();
  folder[Symbol.dispose]();
});

/** An echo service with an admin API. */
async function echoService() {
  folder = new TemporaryFolder();
  const path = folder.file("s");
  const run = new Run(process.execPath, [
    ...[...RUN, "--listen", "7=echo", "--publish", "0=10.7.0.2:7", "--admin", `unix:${path}`],
  ]);
  const client = await dialHost(await run.published());
  /** Echoes so many bytes, and returns how many of them were right. */
  const echo = async (size: number) => {
    const sent = new Uint8Array(size).map((_, i) => i % 251);
    const writing = client.write(sent);
    const chunk = new Uint8Array(256 * 1024);
    let [at, right] = [0, 0];
    while (at < size) {
      const count = (await client.read(chunk))!;
      for (let i = 0; i < count; i++) right += chunk[i] === sent[at + i] ? 1 : 0;
      at += count;
    }
    await writing;
    return right;
  };
  return { path, echo, close: () => client.abort() };
}

/** A client of the API that reads only when it is told to. */
class StoppedReader {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];

  constructor(path: string, target: string) {
    this.#socket = connect(path);
    sockets.push(this.#socket);
    this.#socket.pause();
    this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  /** Reads until the response has ended, and returns its body. */
  async rest(): Promise<Uint8Array<ArrayBuffer>> {
    this.#socket.on("data", (chunk: Uint8Array) => this.#chunks.push(new Uint8Array(chunk)));
    this.#socket.resume();
    for (;;) {
      const all = concatenate(this.#chunks);
      const body = bodyOf(all);
      if (body !== undefined) return body;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The body of a response with chunked transfer coding (RFC 9112 7.1); `undefined` while it is incomplete. */
function bodyOf(response: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  const text = (from: number, to: number) => new TextDecoder().decode(response.subarray(from, to));
  const head = text(0, 2000).indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = head + 4;;) {
    const line = /^([\da-f]+)\r\n/i.exec(text(at, at + 20));
    if (line === null) return undefined;
    const size = parseInt(line[1]!, 16);
    if (size === 0) return concatenate(pieces);
    at += line[0].length;
    if (at + size + 2 > response.length) return undefined;
    pieces.push(response.slice(at, at + size));
    at += size + 2;
  }
}

describe("a client of the admin API that stops reading", () => {
  // The service continues, drops packets for this client, and reports their number.
  test("does not hold up the service with a capture", async () => {
    const { path, echo, close } = await echoService();
    const reader = new StoppedReader(path, "/capture?id=slow");
    expect(await echo(1000)).toBe(1000);
    expect(await echo(BYTES)).toBe(BYTES);
    const stop = connect(path);
    sockets.push(stop);
    stop.write("DELETE /capture/slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let rest = await reader.rest();
    expect(rest.length).toBeLessThan(BYTES / 2);
    const blocks: BlockInfo[] = [];
    while (rest.length > 0) {
      const length = blockLength(rest)!;
      blocks.push(readBlock(rest.slice(0, length)));
      rest = rest.subarray(length);
    }
    expect(blocks.at(-1)!.type).toBe("statistics");
    expect(blocks.at(-1)!.dropped).toBeGreaterThan(100);
    close();
  }, 60_000);

  // The log has a gap of a known size, and a snapshot after it.
  test("does not hold up the service with an event log", async () => {
    const { path, echo, close } = await echoService();
    expect(await echo(1000)).toBe(1000);
    const id = encodeURIComponent(await onlyConnection(path));
    const target = `/connections/${id}/events?format=ndjson&maxEvents=100`;
    const reader = new StoppedReader(path, target);
    // Small messages, each of which makes several events.
    for (let i = 0; i < MESSAGES; i++) expect(await echo(100)).toBe(100);
    close();
    const events = new TextDecoder().decode(await reader.rest()).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    const gaps = events.filter(({ name }) => name === "tcp:events_dropped");
    expect(gaps.length).toBeGreaterThan(0);
    expect(Math.max(...gaps.map(({ data }) => data.count))).toBeGreaterThan(100);
    for (const gap of gaps) {
      expect(events[events.indexOf(gap) + 1].name).toBe("tcp:snapshot");
    }
  }, 60_000);
});

/** The ID of the only connection. */
async function onlyConnection(path: string): Promise<string> {
  const socket = connect(path);
  sockets.push(socket);
  socket.write("GET /connections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  let text = "";
  socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
  for (;;) {
    const [, id] = /"id":"([^"]+)"/.exec(text) ?? [];
    if (id !== undefined) return id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
