/**
 * Positions in the order of sending, for a connection that moves. The counter belongs to the stack,
 * so a record holds how far each position is below the connection's newest one.
 *
 * @module
 */
import type { FieldCodec } from "../frozen/field_codec.ts";

/** Maximum distance in a record; what is further below counts as that far. */
export const MAX_ORDER_SPAN: number = 2 ** 32;

/** Translates the positions of one connection. */
export class SendOrders {
  readonly #newest: number;
  readonly #span: number;

  /** `newest`: the highest position; the lowest one of interest is `span` below it. */
  constructor(newest: number, span: number) {
    this.#newest = newest;
    this.#span = span;
  }

  visit(codec: FieldCodec, name: string, order: number): number {
    const below = Math.min(Math.max(this.#newest - order, 0), this.#span);
    return this.#newest - codec.count(name, below, this.#span);
  }
}
