import type { FieldCodec } from "../frozen/field_codec.ts";
import type { AckSample, CongestionControl } from "./control.ts";
import { slowStartBytes } from "./slow_start.ts";

/**
 * A fixed limit of unacknowledged bytes. After a retransmission timeout, the window restarts at one
 * segment.
 */
export class Unacked implements CongestionControl {
  cwnd: number;
  ssthresh: number;
  readonly #limit: number;
  #mss: number;

  constructor(mss: number, limit: number) {
    this.#mss = mss;
    this.#limit = limit;
    this.cwnd = limit;
    this.ssthresh = limit;
  }

  get reducesProportionally(): boolean {
    return false;
  }

  visitFields(codec: FieldCodec): void {
    this.cwnd = codec.real("cwnd", this.cwnd);
    this.ssthresh = codec.real("ssthresh", this.ssthresh);
    this.#mss = codec.count("mss", this.#mss, 0xffff);
  }

  setMss(mss: number): void {
    this.#mss = mss;
  }

  onAck(sample: AckSample): void {
    this.cwnd = Math.min(this.#limit, this.cwnd + slowStartBytes(sample, this.#mss));
  }

  onLoss(): void {}

  onTimeout(): void {
    this.cwnd = this.#mss;
  }

  onIdle(): void {
    this.cwnd = this.#limit;
  }
}
