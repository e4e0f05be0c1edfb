import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import type { SegmentHeader, TcpEvent } from "../../core/tcp/event_log/events.ts";
import { FLAG } from "../../core/wire/tcp.ts";
import { replayEvents } from "../../core/api/tcp/event_replay.ts";
import { loggedTransfer, named, type TransferOptions } from "../support/logged_transfer.ts";
import { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";

const PATHS: readonly (readonly [string, TransferOptions])[] = [
  ["loss and reordering", {
    bytes: 300_000,
    data: { loss: 0.03, reorder: 0.02, duplicate: 0.01 },
    acks: { loss: 0.01 },
  }],
  ["timeouts", { bytes: 100_000, data: { burstBegin: 0.03, burstEnd: 0.1 }, seed: 3 }],
  ["no SACK", {
    bytes: 200_000,
    data: { loss: 0.06 },
    tcp: { sack: false, congestion: "newreno", timestamps: false },
  }],
];

/** What a program prints about the recording of a transfer. */
async function printed(pcapng: Uint8Array, ...command: readonly string[]): Promise<string> {
  using folder = new TemporaryFolder();
  const file = folder.file("transfer.pcapng");
  writeFileSync(file, pcapng);
  const { out, log, exit } = await new Program([...command, file], folder.path).ended;
  if (exit !== 0) throw new Error(log);
  return out;
}

/** A segment, as the log and as tshark have it. */
function line(isSent: boolean, time: number, header: SegmentHeader): string {
  const { seq, ack = 0, length, window, flags, options = {} } = header;
  const bits = flags.reduce((sum, name) => sum | FLAG[name], 0);
  const sack = options.sack ?? [];
  return [
    ...[isSent ? "out" : "in", time.toFixed(3), seq, ack, length, window, bits],
    ...[options.timestamps?.value ?? "", sack.map(([start, end]) => `${start}-${end}`).join(",")],
  ].join(" ");
}

function linesOf(events: readonly TcpEvent[]): string[] {
  return events.flatMap(({ time, name, data }) =>
    name === "tcp:segment_sent" || name === "tcp:segment_received"
      ? [line(name === "tcp:segment_sent", time, data.header)]
      : []
  );
}

const FIELDS = [
  ...["ip.src", "frame.time_epoch", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size"],
  ...["tcp.flags", "tcp.options.timestamp.tsval", "tcp.options.sack_le", "tcp.options.sack_re"],
  ...["tcp.analysis.retransmission", "tcp.analysis.out_of_order"],
];

/** The packets as tshark reads them, and the sequence numbers of those that it regards as retransmissions. */
async function readByTshark(pcapng: Uint8Array, own = "10.0.0.2") {
  const out = await printed(
    pcapng,
    ...["tshark", "-o", "tcp.relative_sequence_numbers:FALSE", "-T", "fields"],
    ...["-E", "separator=|", ...FIELDS.flatMap((field) => ["-e", field]), "-r"],
  );
  const repeated: number[] = [];
  const lines = out.trimEnd().split("\n").map((row) => {
    const [source, time, seq, ack, length, window, flags, tsVal, left, right, again, late] = row
      .split("|");
    if (again || late) repeated.push(Number(seq));
    const ends = right!.split(",");
    const sack = left === ""
      ? ""
      : left!.split(",").map((start, i) => `${start}-${ends[i]}`).join();
    return [
      ...[source === own ? "out" : "in", (Number(time) * 1000).toFixed(3)],
      ...[seq, ack, length, window, Number(flags), tsVal, sack],
    ].join(" ");
  });
  return { lines, repeated };
}

describe("the event log of a connection with loss", () => {
  for (const [name, options] of PATHS) {
    // Packet by packet: time, sequence numbers, window, flags, timestamps and SACK blocks.
    testRequiring(["program:tshark"], `agrees with tshark: ${name}`, async () => {
      const { events, pcapng } = await loggedTransfer(options);
      const { lines, repeated } = await readByTshark(pcapng);
      expect(lines).toEqual(linesOf(events));
      const retransmissions = named(events, "tcp:segment_sent")
        .filter(({ data }) => data.trigger !== undefined && data.header.length > 0)
        .map(({ data }) => data.header.seq);
      expect(retransmissions.length).toBeGreaterThan(2);
      expect(repeated.filter((seq) => retransmissions.includes(seq)).length)
        .toBeGreaterThanOrEqual(retransmissions.length);
    }, 30_000);

    // The side that has accepted the connection: the SYN and the SYN,ACK are the first two lines.
    testRequiring(["program:tshark"], `has the handshake of the acceptor: ${name}`, async () => {
      const { receiverEvents, receiverPcapng } = await loggedTransfer(options);
      const { lines } = await readByTshark(receiverPcapng, "10.0.0.1");
      expect(linesOf(receiverEvents)).toEqual(lines);
      const flags = receiverEvents.flatMap(({ name, data }) =>
        name === "tcp:segment_sent" || name === "tcp:segment_received"
          ? [`${name.slice(12)} ${data.header.flags}`]
          : []
      );
      expect(flags[0]).toMatch(/^received SYN/);
      expect(flags[1]).toMatch(/^sent SYN,ACK|^sent ACK,SYN/);
    }, 30_000);

    // tcptrace computes its counters from the packets alone.
    testRequiring(["program:tcptrace"], `agrees with tcptrace: ${name}`, async () => {
      const { events, pcapng } = await loggedTransfer(options);
      const out = await printed(pcapng, "tcptrace", "-l", "-n");
      const count = (what: string) => Number(new RegExp(`${what}: +(\\d+) `).exec(out)![1]);
      const sent = named(events, "tcp:segment_sent");
      const text = sent.filter(({ data }) => data.header.length > 0);
      const last = [...replayEvents(events)].at(-1)!;
      const again = sent.filter(({ data }) => data.trigger !== undefined);
      // tcptrace counts a FIN as a byte.
      const fins = again.filter(({ data }) => data.header.flags.includes("FIN")).length;
      expect({
        packets: count("total packets"),
        data: count("actual data pkts"),
        bytes: count("actual data bytes"),
        repeated: count("rexmt data pkts"),
        repeatedBytes: count("rexmt data bytes"),
        unique: count("unique bytes sent"),
      }).toEqual({
        packets: sent.length,
        data: text.length,
        bytes: text.reduce((sum, { data }) => sum + data.header.length, 0),
        repeated: again.length,
        repeatedBytes: last.retransmittedBytes + fins,
        unique: options.bytes,
      });
    }, 30_000);
  }

  // The receiver gets the segments that the sender sends and the path does not lose.
  test("has the same segments on both sides, but for those that the path has lost", async () => {
    const { events, receiverEvents } = await loggedTransfer(PATHS[2]![1]);
    const key = ({ seq, ack, length, flags }: SegmentHeader) => `${seq} ${ack} ${length} ${flags}`;
    const sent = named(events, "tcp:segment_sent").map(({ data }) => key(data.header));
    const received = named(receiverEvents, "tcp:segment_received").map(({ data }) =>
      key(data.header)
    );
    expect(received.length).toBeGreaterThan(100);
    expect(received.filter((one) => !sent.includes(one))).toEqual([]);
    const lost = sent.length - received.length;
    expect(lost).toBeGreaterThan(2);
  });
});
