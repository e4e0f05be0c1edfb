/**
 * The demo network: two stacks and an impaired path between them, over which a download runs. It needs no operating
 * system, so it runs both in the service and in a browser.
 *
 * @module
 */
import { type Clock, systemClock } from "../../core/api/environment.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack, TcpEventLog, TcpSocket, TcpStats } from "../../core/api/types.ts";
import { chargen } from "../../plugins/chargen.ts";
import { impair, type ImpairedLink } from "../links/decorators/impair.ts";
import { linkPair } from "../links/memory.ts";
import { type SequencePoints, SequenceReader } from "../pages/shared/sequence.ts";

/** The path between the hosts. */
export interface DemoPath {
  /** One-way delay in milliseconds. */
  readonly delayMs: number;
  /** Share of lost packets, 0 to 1. */
  readonly loss: number;
  /** Bandwidth from the sender to the receiver. */
  readonly bitsPerSecond: number;
}

/** Smallest and largest values of {@link DemoPath}. */
export const PATH_BOUNDS: Readonly<Record<keyof DemoPath, readonly [number, number]>> = {
  delayMs: [1, 250],
  loss: [0, 0.2],
  bitsPerSecond: [250_000, 20_000_000],
};

/** The initial path. */
export const FIRST_PATH: DemoPath = { delayMs: 25, loss: 0.005, bitsPerSecond: 4_000_000 };

/** The queue in front of the bandwidth limit, in bytes. */
const QUEUE_BYTES = 40_000;
/** Maximum number of events kept between two samples; at 20 Mbit/s there are a few hundred. */
const MAX_EVENTS = 5000;
/** Milliseconds between the end of a connection and the next attempt. */
const RETRY_MS = 1000;

/** What has happened on the network. */
export interface DemoSample {
  /** Seconds, by the clock of the network. */
  readonly seconds: number;
  readonly path: DemoPath;
  /** Statistics of the sender's side of the download. */
  readonly sender: Pick<
    TcpStats,
    "state" | "cwnd" | "flightSize" | "srttMs" | "retransmits" | "bytesOut"
  >;
  /** Bytes that have arrived at the application of the receiver. */
  readonly bytesReceived: number;
  /** Packets since the start: sent by the sender, lost on the path, dropped at its queue, and acknowledgements. */
  readonly packets: {
    readonly sent: number;
    readonly lost: number;
    readonly dropped: number;
    readonly acks: number;
  };
  /** Points of the time-sequence plot since the last sample. */
  readonly points: SequencePoints;
}

/** Two stacks, a lossy path and an endless download. */
export class DemoNetwork {
  readonly #clock: Clock;
  readonly #link: ImpairedLink;
  readonly #server: Stack;
  readonly #client: Stack;
  #path: DemoPath;
  #socket: TcpSocket | undefined;
  #log: TcpEventLog | undefined;
  #reader = new SequenceReader("sent");
  #bytesReceived = 0;
  #isClosed = false;

  constructor({ clock = systemClock, seed = 1 }: { clock?: Clock; seed?: number } = {}) {
    this.#clock = clock;
    const [here, there] = linkPair({ queue: 4096 });
    this.#path = FIRST_PATH;
    this.#link = impair(here, { clock, seed, queue: 4096, ...impairmentsOf(FIRST_PATH) });
    const common = { clock, tcp: { profile: "internet" as const } };
    this.#server = createStack({ link: this.#link, addresses: ["10.0.0.1/24"], ...common });
    this.#client = createStack({ link: there, addresses: ["10.0.0.2/24"], ...common });
    this.#server.use(19, ({ socket }, next) => (this.#accept(socket), next()), chargen());
    void this.#download();
  }

  /** The current path. */
  get path(): DemoPath {
    return this.#path;
  }

  /** Changes the path. Values are clamped to {@link PATH_BOUNDS}; values that are not numbers are ignored. */
  set(changes: Partial<Record<keyof DemoPath, unknown>>): void {
    const path: Record<keyof DemoPath, number> = { ...this.#path };
    for (const key of Object.keys(PATH_BOUNDS) as (keyof DemoPath)[]) {
      const value = changes[key];
      const [least, most] = PATH_BOUNDS[key];
      if (typeof value === "number" && Number.isFinite(value)) {
        path[key] = Math.min(Math.max(value, least), most);
      }
    }
    this.#path = path;
    this.#link.set(impairmentsOf(path));
  }

  /** What has happened since the last call. */
  sample(): DemoSample {
    const { packetsIn = 0, packetsOut = 0 } = this.#server.stats();
    const { lost, dropped } = this.#link.counts;
    const stats = this.#socket?.stats();
    return {
      seconds: this.#clock.now() / 1000,
      path: this.#path,
      sender: {
        state: stats?.state ?? "CLOSED",
        cwnd: stats?.cwnd ?? 0,
        flightSize: stats?.flightSize ?? 0,
        srttMs: stats?.srttMs ?? 0,
        retransmits: stats?.retransmits ?? 0,
        bytesOut: stats?.bytesOut ?? 0,
      },
      bytesReceived: this.#bytesReceived,
      packets: { sent: packetsOut, lost, dropped, acks: packetsIn },
      points: this.#reader.take(this.#log?.take() ?? []),
    };
  }

  /** Aborts the connection of the download, as if it had failed; the next one is opened after a second. */
  abortDownload(): void {
    this.#socket?.abort();
  }

  /** Closes both stacks. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#server.close(), this.#client.close()]);
  }

  #accept(socket: TcpSocket): void {
    this.#log?.close();
    this.#socket = socket;
    this.#reader = new SequenceReader("sent");
    this.#log = socket.eventLog({ maxEvents: MAX_EVENTS });
  }

  /** Downloads over one connection after another: a path that loses everything for long enough ends a connection. */
  async #download(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const socket = this.#client.connect("10.0.0.1:19");
        for await (const view of socket.views()) this.#bytesReceived += view.length;
      } catch {
        // The loop opens another connection.
      }
      await new Promise<void>((resolve) =>
        this.#clock.schedule(this.#clock.now() + RETRY_MS, resolve)
      );
    }
  }
}

function impairmentsOf({ delayMs, loss, bitsPerSecond }: DemoPath) {
  return { delayMs, loss, bitsPerSecond, queueBytes: QUEUE_BYTES, incoming: { delayMs } };
}
