/**
 * Writes the frames of a session to its socket.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";
import type { ConnectionTimeouts } from "../shared/http/connection_timeouts.ts";
import type { Http2Session } from "./session.ts";

/** Maximum size of the output buffer of an idle connection. */
const SMALL_OUTPUT_BYTES = 4096;

/** Maximum number of output buffers that are kept for all connections together. */
const MAX_SPARES = 4;

/**
 * Output buffers that are not in use. While a socket has no room, the connection fills another buffer than the one that
 * is being written. Making one for each write, and growing it, would take a tenth of the time of a large response.
 */
const spares: Uint8Array<ArrayBuffer>[] = [];

/** Called by a {@link SessionWriter}. */
export interface SessionWriterEvents {
  /** The output was written, as far as the socket has room. */
  flushed(): void;
  /** The socket accepts nothing more. */
  failed(): void;
}

/** Writes what the socket accepts at once, and the rest when there is room. */
export class SessionWriter {
  readonly #socket: Pick<TcpSocket, "tryWrite" | "write">;
  readonly #session: Pick<Http2Session<unknown>, "output" | "pump">;
  readonly #timeouts: Pick<ConnectionTimeouts, "setWrite" | "clearWrite">;
  readonly #timeoutMs: number;
  readonly #events: SessionWriterEvents;
  #writing: Promise<void> | undefined;
  #isScheduled = false;
  #isStopped = false;

  /** While true, `flushSoon` does nothing: a call of `flush` follows. */
  isCorked = false;

  /** `timeoutMs`: the write timeout. */
  constructor(
    socket: Pick<TcpSocket, "tryWrite" | "write">,
    session: Pick<Http2Session<unknown>, "output" | "pump">,
    timeouts: Pick<ConnectionTimeouts, "setWrite" | "clearWrite">,
    timeoutMs: number,
    events: SessionWriterEvents,
  ) {
    this.#socket = socket;
    this.#session = session;
    this.#timeouts = timeouts;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
  }

  /** The write that waits for room in the socket, if any. */
  get writing(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Flushes once for all output of this turn. */
  flushSoon(): void {
    if (this.isCorked || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Writes the output. */
  flush(): void {
    const { output } = this.#session;
    while (output.length > 0 && this.#writing === undefined && !this.#isStopped) {
      const { bytes, length } = output;
      const taken = this.#socket.tryWrite(bytes.subarray(0, length));
      output.length = 0;
      if (taken < length) {
        // The socket still reads from the old buffer.
        output.bytes = spares.pop() ?? new Uint8Array(SMALL_OUTPUT_BYTES);
        this.#writing = this.#writeRest(bytes, taken, length);
      }
      this.#session.pump();
    }
    this.#events.flushed();
  }

  /** Replaces a large output buffer that is empty: an idle connection keeps a small one. */
  shrink(): void {
    const { output } = this.#session;
    if (output.bytes.length <= SMALL_OUTPUT_BYTES) return;
    keepSpare(output.bytes);
    output.bytes = new Uint8Array(SMALL_OUTPUT_BYTES);
  }

  /** Writes nothing more: the connection is lost. */
  stop(): void {
    this.#isStopped = true;
  }

  async #writeRest(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Promise<void> {
    this.#timeouts.setWrite(this.#timeoutMs);
    try {
      await this.#socket.write(bytes.subarray(from, to));
      keepSpare(bytes);
    } catch {
      return this.#events.failed();
    } finally {
      this.#timeouts.clearWrite();
      this.#writing = undefined;
    }
    this.#session.pump();
    this.flush();
  }
}

function keepSpare(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.length > SMALL_OUTPUT_BYTES && spares.length < MAX_SPARES) spares.push(bytes);
}
