/**
 * The events of a connection as points of a time-sequence plot.
 *
 * @module
 */

/** One direction of a connection: what this side has sent or received. */
export type Direction = "sent" | "received";

/**
 * Points of a time-sequence plot. Times are in seconds; sequence numbers count from the first one seen, and do
 * not wrap.
 */
export interface SequencePoints {
  /** A segment with text: time, first sequence number, the one after its last, and whether it repeats any. */
  readonly segments: readonly (readonly [number, number, number, boolean])[];
  /** An acknowledgement: time, number, and the right edge of the window. */
  readonly acks: readonly (readonly [number, number, number])[];
  /** A SACK block (RFC 2018): time, and its range. */
  readonly sacks: readonly (readonly [number, number, number])[];
}

/** An event of the log, as far as it is needed here. */
export interface LoggedEvent {
  readonly time: number;
  readonly name: string;
  readonly data: unknown;
}

interface Header {
  readonly seq: number;
  readonly ack?: number;
  readonly flags: readonly string[];
  readonly window: number;
  readonly length: number;
  readonly options?: { readonly sack?: readonly (readonly [number, number])[] };
}

interface Snapshot {
  readonly iss: number;
  readonly irs: number;
  readonly snd_una: number;
  readonly rcv_nxt: number;
}

/** Turns events into points, in order. */
export class SequenceReader {
  readonly #direction: Direction;
  /** A sequence number from the wire and its unwrapped value, from which others are derived. */
  #wire = 0;
  #unwrapped = 0;
  #isKnown = false;
  /** The sequence number after the highest text. */
  #highest = 0;

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  /** The points of the next events. */
  take(events: Iterable<LoggedEvent>): SequencePoints {
    const segments: [number, number, number, boolean][] = [];
    const acks: [number, number, number][] = [];
    const sacks: [number, number, number][] = [];
    for (const { time, name, data } of events) {
      if (name === "tcp:snapshot") this.#begin(data as Snapshot);
      const isSent = name === "tcp:segment_sent";
      if (!isSent && name !== "tcp:segment_received") continue;
      const { header, drop_reason } = data as { header: Header; drop_reason?: string };
      if (drop_reason !== undefined) continue;
      if (!isSent && this.#direction === "received" && header.flags.includes("SYN")) {
        this.#learn(header.seq, header.seq + 1);
      }
      if (!this.#isKnown) continue;
      const seconds = time / 1000;
      if (isSent === (this.#direction === "sent")) {
        if (header.length === 0) continue;
        const from = this.#unwrap(header.seq + (header.flags.includes("SYN") ? 1 : 0));
        const to = from + header.length;
        segments.push([seconds, from, to, from < this.#highest]);
        this.#highest = Math.max(this.#highest, to);
      } else if (header.ack !== undefined) {
        const ack = this.#unwrap(header.ack);
        const window = header.flags.includes("SYN") ? 0 : header.window;
        acks.push([seconds, ack, ack + window]);
        for (const [from, to] of header.options?.sack ?? []) {
          sacks.push([seconds, this.#unwrap(from), this.#unwrap(to)]);
        }
      }
    }
    return { segments, acks, sacks };
  }

  #begin({ iss, irs, snd_una, rcv_nxt }: Snapshot): void {
    if (this.#direction === "sent") this.#learn(iss, snd_una);
    // Before the peer's SYN there is no initial sequence number; the SYN's event has it.
    else if (rcv_nxt !== irs) this.#learn(irs, rcv_nxt);
  }

  /** Records an initial sequence number and a later one, from which the others are derived. */
  #learn(initial: number, wire: number): void {
    if (this.#isKnown) return void this.#unwrap(wire);
    this.#isKnown = true;
    this.#wire = wire;
    // The first byte has number 0, the SYN before it -1.
    this.#unwrapped = ((wire - initial) >>> 0) - 1;
    this.#highest = Math.max(0, this.#unwrapped);
  }

  /** The unwrapped value that is nearest to the last one (RFC 9293 3.4). */
  #unwrap(wire: number): number {
    this.#unwrapped += (wire - this.#wire) | 0;
    this.#wire = wire;
    return this.#unwrapped;
  }
}

/** The points of the last seconds; holds at most `limit` of each kind, the oldest are dropped. */
export class SequenceHistory {
  readonly #span: number;
  readonly #limit: number;
  segments: [number, number, number, boolean][] = [];
  acks: [number, number, number][] = [];
  sacks: [number, number, number][] = [];

  constructor(span: number, limit: number) {
    this.#span = span;
    this.#limit = limit;
  }

  add({ segments, acks, sacks }: SequencePoints, now: number): void {
    this.segments = this.#kept(this.segments, segments, now);
    this.acks = this.#kept(this.acks, acks, now);
    this.sacks = this.#kept(this.sacks, sacks, now);
  }

  #kept<T extends readonly [number, ...unknown[]]>(
    old: readonly T[],
    added: readonly (readonly [number, ...unknown[]])[],
    now: number,
  ): T[] {
    const all = [...old, ...added as readonly T[]];
    const first = all.findIndex(([time]) => time >= now - this.#span);
    return first < 0 ? [] : all.slice(Math.max(first, all.length - this.#limit));
  }
}
