import { describe, expect, test } from "bun:test";
import { deriveSocket, unread } from "../../../core/api/tcp/derived_socket.ts";
import { PeerFaultError } from "../../../core/api/errors.ts";
import { type LineOptions, readLines } from "../../../core/api/lines.ts";
import type { Handler } from "../../../core/api/types.ts";
import { Dice } from "../../fuzz/dice.ts";
import { bytes, codeOf, readText, StackPair } from "./stack_pair.ts";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(bytes(text));
}

async function linesOf(texts: readonly string[], options?: LineOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(chunks(...texts), options)) lines.push(line);
  return lines;
}

describe("readLines", () => {
  // Wherever the chunks end, within a character or a CRLF too.
  test.each([
    [["a\nb\r\n", "c"], ["a", "b", "c"]],
    [["a", "\r", "\n", "\n", "b\n"], ["a", "", "b"]],
    [["\r\n\n"], ["", ""]],
    [[], []],
    [["a\rb\n"], ["a\rb"]],
    [["a\r"], ["a\r"]],
  ])("splits %j into %j", async (texts, lines) => {
    expect(await linesOf(texts as string[])).toEqual(lines as string[]);
  });

  // All bytes come back, in lines of the right length, for chunks of any size.
  test("loses no byte, whatever the sizes of lines and chunks", async () => {
    const dice = new Dice(7);
    const lines = Array.from({ length: 300 }, (_, i) => "é".repeat(dice.below(90)) + i);
    const text = bytes(lines.join("\r\n"));
    const source = async function* () {
      for (let at = 0; at < text.length;) {
        const size = 1 + dice.below(50);
        yield await Promise.resolve(text.slice(at, at += size));
      }
    };
    const read: string[] = [];
    for await (const line of readLines(source())) read.push(line);
    expect(read).toEqual(lines);
  });

  // The end of the line does not count, whichever it is.
  test("accepts lines of maxLineBytes and refuses longer ones", async () => {
    const options = { maxLineBytes: 4 };
    expect(await linesOf(["abcd\n", "abcd\r\n", "abcd"], options)).toEqual([
      "abcd",
      "abcd",
      "abcd",
    ]);
    for (const long of [["abcde\n"], ["abc", "de\r\n"], ["abcde"], ["abcdef"], ["ab\nabcde"]]) {
      const error = await linesOf(long, options).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(PeerFaultError);
      expect((error as Error).message).toContain("a line is longer than 4 bytes");
    }
  });

  // Without a bound, a peer could fill the memory with one line.
  test("stops reading within a line that is too long", async () => {
    let count = 0;
    const endless = async function* () {
      for (;; count++) yield await Promise.resolve(bytes("x".repeat(100)));
    };
    await expect(readLines(endless(), { maxLineBytes: 1000 }).next()).rejects.toThrow("1000 bytes");
    expect(count).toBeLessThan(12);
  });

  // Two reads are pending at once, and an iteration is left early.
  test("serves concurrent calls in order and can be left and continued", async () => {
    const lines = readLines(chunks("a\nb", "\nc\nd\n"));
    expect(await Promise.all([lines.readLine(), lines.readLine()])).toEqual(["a", "b"]);
    for await (const line of lines) {
      expect(line).toBe("c");
      break;
    }
    expect(await lines.readLine()).toBe("d");
    expect(await lines.readLine()).toBeUndefined();
    expect(await lines.readLine()).toBeUndefined();
  });

  // Lines come first, then any bytes, as in SMTP after STARTTLS.
  test("leaves the bytes after a line to unread", async () => {
    await using pair = new StackPair();
    const greeted: string[] = [];
    const hello: Handler = async ({ socket }, next) => {
      const lines = readLines(socket);
      greeted.push((await lines.readLine())!);
      await next(unread(socket, lines.takeRest()));
    };
    const upper: Handler = async ({ socket }) => {
      await socket.write(bytes((await readText(socket)).toUpperCase()));
    };
    pair.server.use(7, hello, upper);
    const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await pair.run(socket.write(bytes("ehlo\r\nwith\nlines")));
    await pair.run(socket.write(bytes(" and more")));
    await socket.closeWrite();
    expect(await pair.run(readText(socket))).toBe("WITH\nLINES AND MORE");
    expect(greeted).toEqual(["ehlo"]);
  });

  // The handler is not at fault, so nothing is logged as an error, and the peer sees a reset.
  test("resets the connection of a peer with a line that is too long", async () => {
    await using pair = new StackPair();
    pair.server.use(7, async ({ socket }, next) => {
      for await (const _ of readLines(deriveSocket(socket, {}), { maxLineBytes: 9 })) await next();
    });
    const socket = pair.client.connect("10.0.0.2:7");
    await pair.run(socket.write(bytes("x".repeat(50))));
    expect(await pair.run(codeOf(socket.closed))).toBe("CONNECTION_RESET");
    expect(pair.lines.map(({ level }) => level)).toEqual(["debug"]);
  });

  test.each([0, -1, Number.NaN, Infinity, "5"])("refuses maxLineBytes %p", (maxLineBytes) => {
    expect(() => readLines(chunks(), { maxLineBytes: maxLineBytes as number })).toThrow(
      /^readLines: options\.maxLineBytes: expected /,
    );
  });
});
