/**
 * The event log of a connection on a lossy path, in virtual time: prints losses, retransmissions and changes of the
 * congestion window. With a file name it also writes the whole log to that file, in the sequential format of qlog.
 *
 *     deno run -A examples/event_log.ts [FILE]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import {
  createStack,
  qlogHeader,
  qlogLine,
  replayEvents,
  type TcpEvent,
  type TcpEventLog,
} from "@berth/berth";
import { chargen } from "@berth/berth/plugins";
import { impair, linkPair, seededRandom, VirtualClock } from "@berth/berth/testing";

const BYTES = 400_000;

/** Downloads over 20 Mbit/s with an RTT of 40 ms and 2 % loss; returns the server's log. */
export async function loggedDownload(seed = 1): Promise<readonly TcpEvent[]> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const [here, there] = linkPair({ queue: 10_000 });
  const path = impair(here, {
    clock,
    seed,
    delayMs: 20,
    loss: 0.02,
    bitsPerSecond: 20_000_000,
    incoming: { delayMs: 20 },
  });
  const common = { clock, random, tcp: { profile: "internet" as const } };
  await using server = createStack({ link: path, addresses: ["10.0.0.1/24"], ...common });
  let log: TcpEventLog | undefined;
  server.use(
    19,
    ({ socket }, next) => {
      log = socket.eventLog({ maxEvents: 100_000 });
      return next();
    },
    chargen({ limit: BYTES }),
  );
  await using client = createStack({ link: there, addresses: ["10.0.0.2/24"], ...common });
  const socket = client.connect("10.0.0.1:19");
  await clock.runUntil(new Response(socket.readable).arrayBuffer());
  return log!.take();
}

/** A line for each loss, retransmission and change of the congestion controller. */
function* describeLosses(events: readonly TcpEvent[]): Generator<string> {
  const states = [...replayEvents(events)];
  for (const [i, { time, name, data }] of events.entries()) {
    const { metrics } = states[i]!;
    const at = `${time.toFixed(1).padStart(8)} ms  cwnd ${metrics.congestion_window.toFixed(0)}`;
    if (name === "tcp:data_lost") {
      yield `${at}  lost ${data.end - data.start} bytes (${data.trigger})`;
    } else if (name === "tcp:congestion_state_updated") yield `${at}  ${data.old} -> ${data.new}`;
    else if (name === "tcp:segment_sent" && data.trigger !== undefined) {
      yield `${at}  sent ${data.header.length} bytes again (${data.trigger})`;
    }
  }
}

if (import.meta.main) {
  const events = await loggedDownload();
  for (const line of describeLosses(events)) console.log(line);
  const file = process.argv[2];
  if (file !== undefined) {
    writeFileSync(file, qlogHeader() + events.map((event) => qlogLine(event)).join(""));
  }
}
