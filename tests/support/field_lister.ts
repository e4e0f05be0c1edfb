/**
 * Lists the fields of the format, for its documentation and for tests.
 *
 * @module
 */
import type { FieldCodec } from "../../core/tcp/frozen/field_codec.ts";

/** A field of the format. */
export interface ListedField {
  /** With the names of the parts that it belongs to: `loss.rack.sentAt`. */
  readonly name: string;
  /** The method of {@link FieldCodec} that visits it. */
  readonly kind: string;
}

/** Visits every field once, optional ones and the items of lists included. */
export class FieldLister implements FieldCodec {
  readonly fields: ListedField[] = [];
  #prefix = "";

  int(name: string, value: number): number {
    return this.#add(name, "int", value);
  }

  count(name: string, value: number): number {
    return this.#add(name, "count", value);
  }

  real(name: string, value: number): number {
    return this.#add(name, "real", value);
  }

  limit(name: string, value: number): number {
    return this.#add(name, "limit", value);
  }

  time(name: string, value: number): number {
    return this.#add(name, "time", value);
  }

  clockOffset(name: string, value: number): number {
    return this.#add(name, "clock", value);
  }

  flag(name: string, value: boolean): boolean {
    return this.#add(name, "flag", value);
  }

  choice<T extends string>(name: string, value: T, choices: readonly T[]): T {
    return this.#add(name, `one of ${choices.join(", ")}`, value);
  }

  optional<T>(
    name: string,
    value: T | undefined,
    initial: () => T,
    visit: (value: T) => T,
  ): T | undefined {
    const before = this.fields.length;
    const visited = visit(value ?? initial());
    const own = this.fields[before];
    const isScalar = this.fields.length === before + 1 && own?.name === this.#prefix + name;
    if (isScalar) this.fields[before] = { name: own.name, kind: `optional ${own.kind}` };
    else this.fields.splice(before, 0, { name: this.#prefix + name, kind: "optional part" });
    return visited;
  }

  part(name: string, visit: () => void): void {
    const outer = this.#prefix;
    this.#prefix = `${outer}${name}.`;
    visit();
    this.#prefix = outer;
  }

  list(name: string, _count: number, most: number, visit: (index: number) => void): number {
    this.#add(name, `list of up to ${most}`, 0);
    this.part(`${name}[]`, () => visit(0));
    return 0;
  }

  bytes(name: string, _length: number, _most: number): Uint8Array<ArrayBuffer> {
    this.#add(name, "bytes", 0);
    return new Uint8Array(0);
  }

  #add<T>(name: string, kind: string, value: T): T {
    this.fields.push({ name: this.#prefix + name, kind });
    return value;
  }
}
