/**
 * The event log of a connection while its view is open.
 *
 * @module
 */
/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import {
  type Direction,
  type LoggedEvent,
  SequenceHistory,
  SequenceReader,
} from "../shared/sequence.ts";
import type { Api } from "./api.ts";
import { PacketList } from "./packets.ts";

/** Length of the time-sequence plot in seconds. */
export const SEQUENCE_SPAN = 1.5;
/** Maximum number of points of each kind in a plot. */
const MAX_POINTS = 6000;
/** Maximum number of events that the service queues while the page draws; further ones are dropped. */
const MAX_EVENTS = 2000;
/** Interval between two redraws, in milliseconds. */
const READ_MS = 100;
/** Maximum number of characters read per redraw; the service queues or drops the rest. */
const MAX_CHARACTERS = 400_000;

/** What {@link useEventLog} returns. */
export interface EventLog {
  readonly sent: SequenceHistory;
  readonly received: SequenceHistory;
  readonly packets: PacketList;
  /** The time of the last event in seconds; changes with the rest. */
  readonly seconds: number;
}

/** Follows the log of a connection, at the speed of the page, until the view closes or it is paused. */
export function useEventLog(api: Api, id: string, isPaused: boolean): EventLog {
  const [log] = useState(() => new LogReader());
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (isPaused) return;
    const stopping = new AbortController();
    const path = `/connections/${
      encodeURIComponent(id)
    }/events?format=ndjson&maxEvents=${MAX_EVENTS}`;
    const follow = async () => {
      const answer = await api.send("GET", path, stopping.signal);
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      let [until, budget] = [0, 0];
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        log.take(value);
        budget -= value.length;
        const now = performance.now();
        if (now < until && budget > 0) continue;
        setSeconds(log.seconds);
        if (now < until) await new Promise((resolve) => setTimeout(resolve, until - now));
        [until, budget] = [performance.now() + READ_MS, MAX_CHARACTERS];
      }
    };
    // The log of a connection that has ended cannot be read; the view shows that it has ended.
    follow().catch(() => {});
    return () => stopping.abort();
  }, [id, isPaused]);
  return { sent: log.sent, received: log.received, packets: log.packets, seconds };
}

/** Parses lines of the log into plots and the list of packets. */
export class LogReader {
  readonly sent: SequenceHistory = new SequenceHistory(SEQUENCE_SPAN, MAX_POINTS);
  readonly received: SequenceHistory = new SequenceHistory(SEQUENCE_SPAN, MAX_POINTS);
  readonly packets: PacketList = new PacketList();
  readonly #readers: Readonly<Record<Direction, SequenceReader>> = {
    sent: new SequenceReader("sent"),
    received: new SequenceReader("received"),
  };
  #rest = "";
  seconds = 0;

  /** Parses the next part of the file, whose first line is the header of qlog. */
  take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const events = lines.filter((line) => line !== "").map((line) => JSON.parse(line))
      .filter((event) =>
        typeof event.name === "string" && typeof event.time === "number"
      ) as LoggedEvent[];
    const last = events.at(-1);
    if (last === undefined) return;
    this.seconds = last.time / 1000;
    this.sent.add(this.#readers.sent.take(events), this.seconds);
    this.received.add(this.#readers.received.take(events), this.seconds);
    this.packets.take(events);
  }
}
