/**
 * A transfer over a lossy path in virtual time, with the event logs of both sides and a recording of
 * the sender's packets.
 *
 * @module
 */
import { impair, type Impairments } from "../../adapters/links/decorators/impair.ts";
import { pcapng } from "../../adapters/links/decorators/pcapng.ts";
import { linkPair } from "../../adapters/links/memory.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { TcpOptions } from "../../core/api/config.ts";
import { createStack } from "../../core/api/stack.ts";
import type { TcpSocket, TcpStats } from "../../core/api/types.ts";
import type { TcpEvent } from "../../core/tcp/event_log/events.ts";
import { concatenate } from "../../core/wire/bytes.ts";

/** Options of {@link loggedTransfer}. */
export interface TransferOptions {
  readonly bytes: number;
  /** Impairments of the data; default: none. */
  readonly data?: Impairments;
  /** Impairments of the acknowledgements; default: none. */
  readonly acks?: Impairments;
  readonly tcp?: TcpOptions;
  readonly seed?: number;
  readonly maxEvents?: number;
  /** Milliseconds between the samples; default 7. */
  readonly sampleMs?: number;
}

/** The statistics of the sender when its log had a certain number of events. */
export interface Sample {
  readonly events: number;
  readonly stats: TcpStats;
}

/** What {@link loggedTransfer} returns. */
export interface Transfer {
  /** The sender's log. */
  readonly events: readonly TcpEvent[];
  /** The receiver's, from the SYN on. */
  readonly receiverEvents: readonly TcpEvent[];
  readonly samples: readonly Sample[];
  readonly stats: TcpStats;
  /** A recording of the packets on the sender's link, before the losses. */
  readonly pcapng: Uint8Array<ArrayBuffer>;
  /** A recording of the packets on the receiver's link. */
  readonly receiverPcapng: Uint8Array<ArrayBuffer>;
}

/** A client sends; the server reads, and then closes. RTT 40 ms. */
export async function loggedTransfer(options: TransferOptions): Promise<Transfer> {
  const { bytes, data, acks, seed = 1, maxEvents = 1_000_000, sampleMs = 7 } = options;
  const clock = new VirtualClock(1000);
  const random = seededRandom(seed);
  const [here, there] = linkPair({ queue: 10_000 });
  const path = impair(here, {
    clock,
    seed,
    delayMs: 20,
    bitsPerSecond: 20_000_000,
    ...data,
    incoming: { delayMs: 20, ...acks },
  });
  const watched = pcapng(path, { clock, epochMs: 0 });
  const blocks: Uint8Array[] = [];
  watched.record((block) => blocks.push(block));
  const arriving = pcapng(there, { clock, epochMs: 0 });
  const receiverBlocks: Uint8Array[] = [];
  arriving.record((block) => receiverBlocks.push(block));
  const tcp = { profile: "internet" as const, ...options.tcp };
  const common = { clock, random, tcp };
  await using receiver = createStack({ link: arriving, addresses: ["10.0.0.1/24"], ...common });
  const receiverLog = receiver.nextEventLog({ port: 9, remote: "10.0.0.2", maxEvents });
  receiver.use(9, async ({ socket }) => {
    for await (const chunk of socket.views()) void chunk;
  });
  await using sender = createStack({ link: watched, addresses: ["10.0.0.2/24"], ...common });
  const socket: TcpSocket = sender.connect("10.0.0.1:9", { allowHalfOpen: true });
  const log = socket.eventLog({ maxEvents });
  const events: TcpEvent[] = [];
  const samples: Sample[] = [];
  const sample = () => {
    events.push(...log.take());
    samples.push({ events: events.length, stats: socket.stats() });
    if (socket.state !== "CLOSED") clock.schedule(clock.now() + sampleMs, sample);
  };
  clock.schedule(clock.now(), sample);
  await clock.runUntil((async () => {
    await socket.write(new Uint8Array(bytes).fill(0xa5));
    await socket.closeWrite();
    await new Response(socket.readable).arrayBuffer();
  })());
  await clock.advance(2000);
  events.push(...log.take());
  return {
    events,
    receiverEvents: (await receiverLog).log.take(),
    samples,
    stats: socket.stats(),
    pcapng: concatenate(blocks),
    receiverPcapng: concatenate(receiverBlocks),
  };
}

/** The events of one name. */
export function named<Name extends TcpEvent["name"]>(
  events: readonly TcpEvent[],
  name: Name,
): Extract<TcpEvent, { name: Name }>[] {
  return events.filter((event): event is Extract<TcpEvent, { name: Name }> => event.name === name);
}
