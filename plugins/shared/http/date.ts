/**
 * The Date field (RFC 9110 6.6.1).
 *
 * @module
 */

/** Formats the date once per second, not once per response. */
export class DateField {
  #text = "";
  #until = -Infinity;

  /** The date in the format of RFC 9110 5.6.7; `now` in milliseconds of any monotonic clock. */
  at(now: number): string {
    if (now >= this.#until) {
      const date = new Date();
      this.#text = date.toUTCString();
      this.#until = now + 1000 - date.getMilliseconds();
    }
    return this.#text;
  }
}
