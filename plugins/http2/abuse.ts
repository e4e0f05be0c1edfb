/**
 * What a client may do only so often, because it costs this side more than the client (RFC 9113 10.5).
 *
 * @module
 */
import { TokenBucket } from "../../core/stack/token_bucket.ts";

/** How often: `burst` at once, `perSecond` in the long run. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Each by its name, which is in the log and in GOAWAY. */
const RATES = {
  /** RST_STREAM for requests that are being served (rapid reset, CVE-2023-44487). */
  "rapid reset": { burst: 500, perSecond: 50 },
  /** Frames that make this side reset a stream (MadeYouReset, CVE-2025-8671). */
  "made you reset": { burst: 100, perSecond: 10 },
  /** Requests above SETTINGS_MAX_CONCURRENT_STREAMS. */
  "refused streams": { burst: 1000, perSecond: 100 },
  /** SETTINGS, each of which is acknowledged. */
  "settings flood": { burst: 100, perSecond: 10 },
  /** PING, each of which is answered. */
  "ping flood": { burst: 200, perSecond: 20 },
  /** DATA without data that ends nothing. */
  "empty data flood": { burst: 100, perSecond: 10 },
  /** Heads beyond the bounds, such as those whose fields refer to large entries of the table. */
  "oversized heads": { burst: 100, perSecond: 10 },
  /** Streams whose windows stay closed until their time is over. */
  "closed windows": { burst: 100, perSecond: 1 },
  /** PRIORITY, frames of unknown types, frames for streams that have ended. */
  "ignored frames": { burst: 1000, perSecond: 100 },
} as const satisfies Record<string, Rate>;

/** What is counted. */
export type Abuse = keyof typeof RATES | "continuation flood" | "window update flood";

/** Counts of one connection. */
export class AbuseCounts {
  readonly #buckets = new Map<string, TokenBucket>();
  /** How often each has happened, by name. */
  readonly counts: Map<string, number> = new Map();
  /** WINDOW_UPDATE frames that the client may still send. */
  #windowUpdates = WINDOW_UPDATES_AT_FIRST;

  /** Notes that `abuse` has happened once more; false: too often. */
  note(abuse: keyof typeof RATES, now: number): boolean {
    this.counts.set(abuse, (this.counts.get(abuse) ?? 0) + 1);
    let bucket = this.#buckets.get(abuse);
    if (bucket === undefined) {
      const { burst, perSecond } = RATES[abuse];
      this.#buckets.set(abuse, bucket = new TokenBucket(perSecond, burst, now));
    }
    return bucket.take(now);
  }

  /** Notes a WINDOW_UPDATE; false: far more than there has been DATA to acknowledge. */
  noteWindowUpdate(): boolean {
    return --this.#windowUpdates >= 0;
  }

  /** A stream was opened, or DATA sent: the client may acknowledge it. */
  allowWindowUpdates(): void {
    this.#windowUpdates = Math.min(
      this.#windowUpdates + WINDOW_UPDATES_PER_FRAME,
      MAX_WINDOW_UPDATES,
    );
  }
}

/** A client may open its windows before it asks for anything. */
const WINDOW_UPDATES_AT_FIRST = 100;
/** One for the stream and one for the connection would do. */
const WINDOW_UPDATES_PER_FRAME = 10;
const MAX_WINDOW_UPDATES = 10_000;
