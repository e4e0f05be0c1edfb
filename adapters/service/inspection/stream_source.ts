/**
 * What can be streamed from a running stack.
 *
 * @module
 */

/** The event log of a connection; its lines are those of a qlog file. */
export interface EventLogSource {
  readonly type: "event-log";
  /** The `id` of its row. */
  readonly id: string;
  readonly format: "json-seq" | "ndjson";
  /** Maximum number of events that wait for the reader. */
  readonly maxEvents: number;
}

/** The event log of the next connection that a peer opens. */
export interface NextEventLogSource extends Omit<EventLogSource, "type" | "id"> {
  readonly type: "next-event-log";
  /** The local port, and the peer's address or network; absent for any. */
  readonly port?: number | undefined;
  readonly remote?: string | undefined;
}

/** The packets of the link, as a pcapng file. */
export interface CaptureSource {
  readonly type: "capture";
  /** The ID by which the capture can be stopped. */
  readonly id: string;
  /** See `RecordOptions`. */
  readonly filter: string | undefined;
}

/** The stream of a {@link StreamSource}. The source never waits for its reader. */
export type OpenedStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A source; it can be sent to another thread. */
export type StreamSource = EventLogSource | NextEventLogSource | CaptureSource;
