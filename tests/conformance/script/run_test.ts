import { describe, expect, test } from "bun:test";
import { CoreTarget } from "./core_target.ts";
import { parseScript } from "./parse.ts";
import { accepted } from "./preludes.ts";
import { runScript } from "./run.ts";

async function failureOf(text: string): Promise<string> {
  try {
    const script = parseScript(text);
    await runScript(script, new CoreTarget(script));
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("parseScript", () => {
  // Every part of a segment line.
  test("reads a segment", () => {
    const { lines } = parseScript(
      "+.5 <@2 SEW 0:0(0) win 7 urg 3 <mss 1000,nop,TS val 5 ecr 0,sack 1:2 3:4,bytes 9 2> [ce]",
    );
    expect(lines[0]).toMatchObject({ number: 1, time: { relative: true, from: 500, to: 500 } });
    expect(lines[0]!.event).toEqual({
      kind: "in",
      flow: 2,
      segment: {
        flags: 0xc2,
        seq: 0,
        length: 0,
        ack: undefined,
        window: 7,
        urgentPointer: 3,
        options: { mss: 1000, timestamps: [5, 0], sack: [[1, 2], [3, 4]], raw: [9, 2] },
        anyTsVal: false,
        ecn: 3,
        cut: undefined,
      },
    });
  });

  // Errors in a script are reported with the line.
  test("refuses invalid lines", () => {
    expect(() => parseScript("\n+0 > P. 1:11(9) ack 1")).toThrow("line 2: end - seq is not");
    expect(() => parseScript("+0 > P 1:11(10) ack 1")).toThrow('"." and "ack" go together');
    expect(() => parseScript("+0 > P. 1:11(10) ack 1 <foo>")).toThrow("foo is not an option");
    expect(() => parseScript("+0 < icmp hello [1:2(1)]")).toThrow("is not an ICMP message");
  });
});

describe("runScript", () => {
  const write = `${accepted()}
    +0 write 10`;

  // The previous lines, the expected and the actual segment.
  test("shows a segment that is not the one expected", async () => {
    const message = await failureOf(`${write}
      +0 > P. 1:12(11) ack 1`);
    expect(message).toContain("line 8 of the script\n");
    expect(message).toContain("  +0.010 write 10\n- +0.010 > P. 1:12(11) ack 1 win 65535\n");
    expect(message).toContain("+ +0.010 > P. 1:11(10) ack 1 win 65535");
  });

  // Too late, too early, unexpected, and missing segments.
  test("detects segments at the wrong time", async () => {
    expect(await failureOf(`${write}\n+.1 > P. 1:11(10) ack 1`)).toContain("+ +0.010 > P. 1:11");
    expect(await failureOf(`${write}\n+0 expect state ESTABLISHED`)).toContain("- nothing\n+ ");
    expect(await failureOf(write)).toContain("- the end\n+ +0.010 > P. 1:11(10)");
    expect(await failureOf(`${accepted()}\n+0 > . 1:1(0) ack 1`)).toContain("nothing was sent");
  });

  // Results of calls and of expectations.
  test("detects a call with another result", async () => {
    expect(await failureOf(`${accepted()}\n+0 read 5`)).toContain("- 5\n+ nothing");
    expect(await failureOf(`${accepted()}\n+0 expect state CLOSED`)).toContain(
      "- CLOSED\n+ ESTABLISHED",
    );
    expect(await failureOf(`${accepted()}\n+0 dance`)).toContain("dance is not a call");
  });
});
