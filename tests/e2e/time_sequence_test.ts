import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect } from "bun:test";
import { SequenceReader } from "../../adapters/pages/shared/sequence.ts";
import type { ConnectionSnapshot } from "../../core/tcp/event_log/events.ts";
import { loggedTransfer, type TransferOptions } from "../support/logged_transfer.ts";
import { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";

const PATHS: readonly (readonly [string, TransferOptions])[] = [
  ["loss", { bytes: 200_000, data: { loss: 0.05 } }],
  ["loss in both directions", { bytes: 150_000, data: { loss: 0.03 }, acks: { loss: 0.05 } }],
  ["timeouts", { bytes: 100_000, data: { burstBegin: 0.03, burstEnd: 0.1 }, seed: 3 }],
];

/** A vertical line of a plot: time in seconds, and its ends. */
type Vertical = readonly [time: string, from: number, to: number];

/** The vertical lines that tcptrace draws, by colour; sequence numbers are relative to `first`. */
async function drawnByTcptrace(
  pcapng: Uint8Array,
  first: number,
): Promise<Readonly<Record<string, Vertical[]>>> {
  using folder = new TemporaryFolder();
  writeFileSync(folder.file("transfer.pcapng"), pcapng);
  const { exit, log } = await new Program(["tcptrace", "-n", "-S", "transfer.pcapng"], folder.path)
    .ended;
  if (exit !== 0) throw new Error(log);
  const drawn: Record<string, Vertical[]> = {};
  let colour = "";
  for (const row of readFileSync(folder.file("a2b_tsg.xpl"), "utf8").split("\n")) {
    if (/^(white|red|green|yellow|purple|orange)$/.test(row)) colour = row;
    const [, time, from, end, to] = /^line (\S+) (\d+) (\S+) (\d+)$/.exec(row) ?? [];
    if (time === undefined || time !== end || from === to) continue;
    (drawn[colour] ??= []).push([
      Number(time).toFixed(4),
      (Number(from) - first) >>> 0,
      (Number(to) - first) >>> 0,
    ]);
  }
  return drawn;
}

const sorted = (lines: readonly Vertical[]) => lines.map((line) => line.join(" ")).sort();

describe("the time-sequence plot of a connection with loss", () => {
  for (const [name, options] of PATHS) {
    // Compares each segment, with retransmissions in their own colour, each step of the acknowledgements, and the
    // SACK blocks. tcptrace sees packets in the order of their recording, with the times of the packets.
    testRequiring(["program:tcptrace"], `is that of tcptrace: ${name}`, async () => {
      const { events, pcapng } = await loggedTransfer(options);
      const { iss } = events[0]!.data as ConnectionSnapshot;
      const drawn = await drawnByTcptrace(pcapng, (iss + 1) >>> 0);
      // tcptrace counts a FIN as a byte.
      const text = (colour: string) => drawn[colour]!.filter(([, , to]) => to <= options.bytes);
      const { segments, acks, sacks } = new SequenceReader("sent").take(events);
      const at = (seconds: number) => seconds.toFixed(4);
      const bars = (again: boolean) =>
        segments.filter(([, , , isAgain]) => isAgain === again)
          .map(([time, from, to]): Vertical => [at(time), from, to]);
      expect(bars(true).length).toBeGreaterThan(1);
      expect(sorted(bars(true))).toEqual(sorted(text("red")));
      expect(sorted(bars(false))).toEqual(sorted(text("white")));
      let last = 0;
      const steps: Vertical[] = [];
      for (const [time, ack] of acks) {
        if (ack > last && ack <= options.bytes) steps.push([at(time), last, ack]);
        last = Math.max(last, ack);
      }
      expect(sorted(steps)).toEqual(sorted(text("green").filter(([, from, to]) => from < to)));
      expect(sorted(sacks.map(([time, from, to]) => [at(time), from, to])))
        .toEqual(sorted(drawn["purple"] ?? []));
    }, 30_000);
  }
});
