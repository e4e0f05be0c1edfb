/**
 * Timed events of a connection.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";
import { textOf } from "../../core/api/error_text.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { TcpSocket } from "../../core/api/types.ts";

/** An event of a connection, or the whole connection: its span. */
export interface TraceEvent {
  /** `"connection"` is the span of the connection and comes last. */
  readonly name: "open" | "read" | "write" | "closeWrite" | "connection";
  /** 16 hexadecimal digits, the same for all events of a connection (W3C Trace Context). */
  readonly spanId: string;
  /** 32 hexadecimal digits, the same for all events of a connection (W3C Trace Context). */
  readonly traceId: string;
  /** Start, in milliseconds of the stack's clock. */
  readonly startMs: number;
  /** Duration: a read waits for the peer to send, a write for room in the send buffer. */
  readonly durationMs: number;
  /** Bytes read or written; for `"connection"`, of both directions. */
  readonly bytes: number;
  /** The peer's address, as `"10.0.0.1:50000"` or `"[fd00::1]:50000"`. */
  readonly remote: string;
  /** This side's address. */
  readonly local: string;
  /** The error, if it failed. */
  readonly error?: string;
}

/** Reports the events of one connection, and the connection itself at its end. */
export class ConnectionSpan {
  readonly #who: Pick<TraceEvent, "spanId" | "traceId" | "remote" | "local">;
  readonly #clock: Clock;
  readonly #report: (event: TraceEvent) => void;

  /** The span starts now; `report` must not throw. */
  constructor(socket: TcpSocket, clock: Clock, report: (event: TraceEvent) => void) {
    this.#who = {
      traceId: randomHex(16),
      spanId: randomHex(8),
      remote: formatHostPort(socket.remoteAddr),
      local: formatHostPort(socket.localAddr),
    };
    this.#clock = clock;
    this.#report = report;
    this.#begin("open")(0);
    const end = this.#begin("connection");
    const total = () => socket.stats().bytesIn + socket.stats().bytesOut;
    socket.closed.then(() => end(total()), (error: unknown) => end(total(), error));
  }

  /** The `traceparent` field of W3C Trace Context. */
  get traceparent(): string {
    return `00-${this.#who.traceId}-${this.#who.spanId}-01`;
  }

  /**
   * Runs `work` and reports it when it has settled; `size` returns the number of bytes from its
   * result.
   */
  async timed<T>(
    name: TraceEvent["name"],
    work: () => Promise<T>,
    size: (done: T) => number,
  ): Promise<T> {
    const end = this.#begin(name);
    try {
      const done = await work();
      end(size(done));
      return done;
    } catch (error) {
      end(0, error);
      throw error;
    }
  }

  #begin(name: TraceEvent["name"]): (bytes: number, error?: unknown) => void {
    const startMs = this.#clock.now();
    return (bytes, error) => {
      const failure = error === undefined ? undefined : { error: textOf(error) };
      const durationMs = this.#clock.now() - startMs;
      this.#report({ ...this.#who, name, startMs, durationMs, bytes, ...failure });
    };
  }
}

function randomHex(length: number): string {
  return crypto.getRandomValues(new Uint8Array(length)).toHex();
}
