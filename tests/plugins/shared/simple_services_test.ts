import { describe, expect, test } from "bun:test";
import type { Plugin } from "../../../core/api/types.ts";
import { chargen } from "../../../plugins/chargen.ts";
import { daytime, formatDaytime } from "../../../plugins/daytime.ts";
import { discard } from "../../../plugins/discard.ts";
import { echo } from "../../../plugins/echo.ts";
import { log } from "../../../plugins/middleware/log.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { pattern } from "../../support/packets.ts";

const text = (data: Uint8Array) => new TextDecoder().decode(data);

/**
 * Runs the plugin on udp/7 of the server; returns the reply to each datagram, `undefined` for none.
 */
async function answersTo(
  plugin: Plugin,
  datagrams: readonly Uint8Array[],
  port = 40_000,
): Promise<(Uint8Array | undefined)[]> {
  await using pair = new StackPair();
  pair.server.use("udp/7", plugin);
  using client = pair.client.listenDatagram({ port });
  const answers: (Uint8Array | undefined)[] = [];
  for (const datagram of datagrams) {
    await client.send(datagram, "10.0.0.2:7");
    const answer = client.receive().then(([data]) => data, () => undefined);
    const late = pair.clock.advance(10).then(() => undefined);
    answers.push(await Promise.race([answer, late]));
  }
  return answers;
}

describe("simple services over UDP", () => {
  // The datagrams are empty, small, or in fragments.
  test("echo sends back what it gets (RFC 862)", async () => {
    const datagrams = [0, 1, 1472, 5000, 65_507].map((size) => pattern(size));
    expect(await answersTo(echo(), datagrams)).toEqual(datagrams);
  });

  // The service keeps running for the next datagram.
  test("discard answers nothing (RFC 863)", async () => {
    expect(await answersTo(discard(), [pattern(10), pattern(20)])).toEqual([undefined, undefined]);
  });

  // The recommended pattern, each reply one line further, never longer than the request.
  test("chargen answers with as many characters, 512 at most (RFC 864)", async () => {
    const answers = await answersTo(chargen(), [0, 5, 512, 9000].map((size) => pattern(size)));
    expect(answers.map((answer) => answer?.length)).toEqual([0, 5, 512, 512]);
    expect(text(answers[1]!)).toBe('!"#$%');
    const [first, second] = text(answers[2]!).split("\r\n");
    expect([first!.length, first!.slice(0, 3)]).toEqual([72, '"#$']);
    expect(second!.slice(0, 3)).toBe("#$%");
  });

  // Three hundred answers, each from the start of a line; the pattern repeats after 95 lines.
  test("chargen begins its pattern again (RFC 864)", async () => {
    const answers = await answersTo(chargen(), Array.from({ length: 300 }, () => pattern(512)));
    for (const answer of answers) expect(text(answer!)).toMatch(/^([ -~]{72}\r\n){6}[ -~]{68}$/);
    expect(answers[95]).toEqual(answers[0]);
    expect(new Set(answers.map((answer) => text(answer!))).size).toBe(95);
  });

  // The answer is the same over both transports.
  test("daytime tells the time (RFC 867)", async () => {
    const line = /^[A-Z][a-z]+day, [A-Z][a-z]+ \d{1,2}, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/;
    const [answer] = await answersTo(daytime(), [pattern(0)]);
    expect(text(answer!)).toMatch(line);
    await using pair = new StackPair();
    pair.server.use(13, daytime());
    const chunk = new Uint8Array(100);
    const socket = pair.client.connect("10.0.0.2:13");
    const length = await pair.run(socket.read(chunk));
    expect(text(chunk.subarray(0, length!))).toMatch(line);
    expect(await pair.run(socket.read(chunk))).toBe(null);
    expect(text(formatDaytime(new Date("1982-02-22T17:37:43Z"))))
      .toBe("Monday, February 22, 1982 17:37:43-UTC\r\n");
  });

  // A forged source would make the two answer each other endlessly.
  test("do not answer each other", async () => {
    for (const plugin of [echo(), chargen(), daytime()]) {
      for (const port of [7, 13, 17, 19, 37]) {
        expect(await answersTo(plugin, [pattern(10)], port)).toEqual([undefined]);
      }
      expect(await answersTo(plugin, [pattern(10)], 53)).not.toEqual([undefined]);
    }
  });

  // One line for each flow, when it ends.
  test("are logged flow by flow", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", log(), echo());
    using client = pair.client.listenDatagram({ port: 4000 });
    for (const size of [3, 4]) {
      await client.send(pattern(size), "10.0.0.2:7");
      await pair.run(client.receive());
    }
    await pair.clock.advance(61_000);
    expect(pair.lines.map(({ message, fields }) => [message, fields])).toEqual([["flow", {
      port: 7,
      plugin: "log, echo",
      remote: "10.0.0.1:4000",
      in: 7,
      out: 7,
      datagramsIn: 2,
      datagramsOut: 2,
      ms: 60_000,
      end: "closed",
    }]]);
  });
});
