/**
 * Headers of a request. The real ones are created when more than single values are read.
 *
 * @module
 */
import { impersonate } from "./impersonate.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Stands in for Headers: implements `get` and `has` without creating them. */
export class LazyHeaders {
  readonly #fields: readonly string[];
  readonly #make: () => Headers;
  #real: Headers | undefined;

  /** `fields` alternates names and values; `make` creates the Headers. */
  constructor(fields: readonly string[], make: () => Headers) {
    this.#fields = fields;
    this.#make = make;
  }

  /** The real Headers, which are used from then on. */
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

  /** Whether `name` has a value. */
  has(name: string): boolean {
    const at = this.#find(name);
    return at === undefined ? LazyHeaders.realOf(this).has(name) : at >= 0;
  }

  /** Index of `name`, -1 if it is absent, `undefined` if only the real Headers can tell. */
  #find(name: unknown): number | undefined {
    if (this.#real !== undefined || typeof name !== "string" || !NAME.test(name)) return undefined;
    const lowered = name.toLowerCase();
    let found = -1;
    for (let at = 0; at < this.#fields.length; at += 2) {
      const other = this.#fields[at]!;
      if (other.length !== name.length || other.toLowerCase() !== lowered) continue;
      // The platform joins several values.
      if (found >= 0) return undefined;
      found = at;
    }
    return found;
  }
}

impersonate(LazyHeaders, Headers, new Headers(), LazyHeaders.realOf);
