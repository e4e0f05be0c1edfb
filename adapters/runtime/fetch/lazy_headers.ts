/**
 * The fields of a request as Headers that are made when somebody asks for more than single values.
 *
 * @module
 */
import { standInFor } from "./stand_in.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Stands in for Headers: says what their `get` and `has` would say, without making them. */
export class LazyHeaders {
  readonly #fields: readonly string[];
  readonly #make: () => Headers;
  #real: Headers | undefined;

  /** `fields`: names and values in turn, which `make` makes Headers of. */
  constructor(fields: readonly string[], make: () => Headers) {
    this.#fields = fields;
    this.#make = make;
  }

  /** The Headers themselves; what they are changed to counts from here on. */
  static realOf(headers: object): Headers {
    const self = headers as LazyHeaders;
    return self.#real ??= self.#make();
  }

  /** The value of `name`, or `null`. */
  get(name: string): string | null {
    const at = this.#find(name);
    if (at === undefined) return LazyHeaders.realOf(this).get(name);
    return at < 0 ? null : this.#fields[at + 1]!;
  }

  /** True when `name` has a value. */
  has(name: string): boolean {
    const at = this.#find(name);
    return at === undefined ? LazyHeaders.realOf(this).has(name) : at >= 0;
  }

  /** Where `name` is, -1 when it is nowhere, `undefined` when the platform has to be asked. */
  #find(name: unknown): number | undefined {
    if (this.#real !== undefined || typeof name !== "string" || !NAME.test(name)) return undefined;
    const lowered = name.toLowerCase();
    let found = -1;
    for (let at = 0; at < this.#fields.length; at += 2) {
      const other = this.#fields[at]!;
      if (other.length !== name.length || other.toLowerCase() !== lowered) continue;
      // How several values are joined is the platform's matter.
      if (found >= 0) return undefined;
      found = at;
    }
    return found;
  }
}

standInFor(LazyHeaders, Headers, new Headers(), LazyHeaders.realOf);
