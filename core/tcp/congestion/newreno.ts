import type { FieldCodec } from "../frozen/field_codec.ts";
import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { SlowStart } from "./slow_start.ts";

/** RFC 5681. The recovery of RFC 6582 is in `core/tcp/recovery/loss_recovery.ts`. */
export class NewReno extends SlowStart implements CongestionControl {
  /** Bytes acknowledged since the window last grew (RFC 5681 3.1). */
  #acked = 0;

  override visitFields(codec: FieldCodec): void {
    super.visitFields(codec);
    this.#acked = codec.real("acked", this.#acked);
  }

  protected override avoidCongestion(sample: AckSample): void {
    this.#acked += sample.bytes;
    if (this.#acked < this.cwnd) return;
    this.#acked -= this.cwnd;
    this.cwnd += this.mss;
  }

  onLoss(flightSize: number): void {
    this.ssthresh = Math.max(flightSize / 2, 2 * this.mss);
    this.cwnd = this.ssthresh;
    this.#acked = 0;
  }

  onTimeout(flightSize: number, repeated: boolean): void {
    if (!repeated) this.ssthresh = Math.max(flightSize / 2, 2 * this.mss);
    this.cwnd = this.mss;
    this.#acked = 0;
  }

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, initialWindow(this.mss));
  }
}
