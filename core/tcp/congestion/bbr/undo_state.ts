import type { FieldCodec } from "../../frozen/field_codec.ts";
import type { PathModel } from "./model.ts";

/** The bounds before a loss, in case it is spurious (5.5.11). */
export class UndoState {
  /** The state before the loss. */
  left: "startup" | "up" | undefined = undefined;
  #bandwidth: number;
  #inflightShort: number;
  #inflightLong: number;

  constructor({ shortTerm, longTerm }: PathModel) {
    this.#bandwidth = shortTerm.bandwidth;
    this.#inflightShort = shortTerm.inflight;
    this.#inflightLong = longTerm.inflight;
  }

  visitFields(codec: FieldCodec): void {
    const left = codec.choice("left", this.left ?? "none", ["none", "startup", "up"]);
    this.left = left === "none" ? undefined : left;
    this.#bandwidth = codec.limit("bandwidth", this.#bandwidth);
    this.#inflightShort = codec.limit("inflightShort", this.#inflightShort);
    this.#inflightLong = codec.limit("inflightLong", this.#inflightLong);
  }

  /** Restores the bounds, unless they are higher now. */
  restore({ shortTerm, longTerm, full }: PathModel): void {
    shortTerm.lossInRound = false;
    full.reset();
    shortTerm.bandwidth = Math.max(shortTerm.bandwidth, this.#bandwidth);
    shortTerm.inflight = Math.max(shortTerm.inflight, this.#inflightShort);
    longTerm.inflight = Math.max(longTerm.inflight, this.#inflightLong);
  }
}
