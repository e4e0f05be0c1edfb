import type { FieldCodec } from "../../frozen/field_codec.ts";
import { MIN_RTT_FILTER_MS, PROBE_RTT_INTERVAL_MS } from "./parameters.ts";

/** The minimum round-trip time, and when it has to be measured again (5.3.4.3, 5.5.7). */
export class MinRtt {
  /** `BBR.min_rtt` in milliseconds. */
  value = Infinity;
  /** The minimum is too old: the queue has to be drained to measure it. */
  probeIsDue = false;
  #at = 0;
  #recent = Infinity;
  #recentAt = 0;

  visitFields(codec: FieldCodec): void {
    this.value = codec.limit("value", this.value);
    this.probeIsDue = codec.flag("probeIsDue", this.probeIsDue);
    this.#at = codec.time("at", this.#at);
    this.#recent = codec.limit("recent", this.#recent);
    this.#recentAt = codec.time("recentAt", this.#recentAt);
  }

  /** `rtt` is -1 if the acknowledgement has none. */
  update(rtt: number, now: number): void {
    this.probeIsDue = now > this.#recentAt + PROBE_RTT_INTERVAL_MS && this.#recent !== Infinity;
    if (rtt >= 0 && (rtt < this.#recent || this.probeIsDue)) {
      // With a clock coarser than the path, the bandwidth-delay product must not be 0.
      this.#recent = Math.max(rtt, 0.001);
      this.#recentAt = now;
    }
    const isOld = now > this.#at + MIN_RTT_FILTER_MS;
    if (this.#recent < this.value || isOld) {
      this.value = this.#recent;
      this.#at = this.#recentAt;
    }
  }

  /** ProbeRTT has ended: the next one follows after an interval. */
  probed(now: number): void {
    this.#recentAt = now;
  }
}
