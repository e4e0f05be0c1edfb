/**
 * Rate limits for frames that cost the server more than the client (RFC 9113 10.5).
 *
 * @module
 */
import { TokenBucket } from "../../core/stack/token_bucket.ts";

/** `burst` at once, `perSecond` in the long run. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** The name appears in the log and in GOAWAY. */
const RATES = {
  /** RST_STREAM for requests that are being served (rapid reset, CVE-2023-44487). */
  "rapid reset": { burst: 500, perSecond: 50 },
  /** Stream errors that the client causes (MadeYouReset, CVE-2025-8671). */
  "made you reset": { burst: 100, perSecond: 10 },
  /** Requests above SETTINGS_MAX_CONCURRENT_STREAMS. */
  "refused streams": { burst: 1000, perSecond: 100 },
  /** SETTINGS, each of which is acknowledged. */
  "settings flood": { burst: 100, perSecond: 10 },
  /** PING, each of which is answered. */
  "ping flood": { burst: 200, perSecond: 20 },
  /** Empty DATA frames without END_STREAM. */
  "empty data flood": { burst: 100, perSecond: 10 },
  /** Header lists above the limits, for example by references to large table entries. */
  "oversized heads": { burst: 100, perSecond: 10 },
  /** Streams reset because the client did not open their windows in time. */
  "closed windows": { burst: 100, perSecond: 1 },
  /** PRIORITY, frames of unknown type, late frames of closed streams. */
  "ignored frames": { burst: 1000, perSecond: 100 },
} as const satisfies Record<string, Rate>;

/** Names of the limits. */
export type Abuse = keyof typeof RATES | "continuation flood" | "window update flood";

/** The counters of one connection. */
export class AbuseCounts {
  readonly #buckets = new Map<string, TokenBucket>();
  /** Occurrences by name. */
  readonly counts: Map<string, number> = new Map();
  /** WINDOW_UPDATE frames that the client may still send. */
  #windowUpdates = WINDOW_UPDATES_AT_FIRST;

  /** Counts one occurrence; false if it exceeds the limit. */
  note(abuse: keyof typeof RATES, now: number): boolean {
    this.counts.set(abuse, (this.counts.get(abuse) ?? 0) + 1);
    let bucket = this.#buckets.get(abuse);
    if (bucket === undefined) {
      const { burst, perSecond } = RATES[abuse];
      this.#buckets.set(abuse, bucket = new TokenBucket(perSecond, burst, now));
    }
    return bucket.take(now);
  }

  /** Counts a WINDOW_UPDATE; false if there are far more than the DATA sent could require. */
  noteWindowUpdate(): boolean {
    return --this.#windowUpdates >= 0;
  }

  /** Allows more WINDOW_UPDATE frames: a stream was opened, or DATA was sent. */
  allowWindowUpdates(): void {
    this.#windowUpdates = Math.min(
      this.#windowUpdates + WINDOW_UPDATES_PER_FRAME,
      MAX_WINDOW_UPDATES,
    );
  }
}

/** Before the first request. */
const WINDOW_UPDATES_AT_FIRST = 100;
/** A client needs only two: one for the stream and one for the connection. */
const WINDOW_UPDATES_PER_FRAME = 10;
const MAX_WINDOW_UPDATES = 10_000;
