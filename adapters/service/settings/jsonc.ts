/**
 * JSON with comments and trailing commas (JSONC), with the position of every value.
 *
 * @module
 */

/** A place in a text, counted from 1. Columns are UTF-16 code units, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A fault at a place of the text. */
export interface JsoncFault {
  readonly position: Position;
  /** The keys of the faulty value; empty where the text cannot be parsed. */
  readonly path: readonly string[];
  readonly message: string;
}

/** A parsed text. */
export interface JsoncDocument {
  /** The value; `undefined` where the text cannot be parsed. */
  readonly value: unknown;
  /** A syntax error, or the keys that occur twice in one object. */
  readonly faults: readonly JsoncFault[];
  /** The position of the value at a path, or of the nearest one around it. */
  valueAt(path: readonly PropertyKey[]): Position;
  /** The same for the key of the value. */
  keyAt(path: readonly PropertyKey[]): Position;
}

/** Maximum depth of nesting, because the parser calls itself for each level. */
export const MAX_DEPTH = 100;

/**
 * Parses a text. A byte order mark is ignored; faults do not throw.
 *
 * @example
 * ```ts ignore
 * const { value, valueAt } = parseJsonc('{ "mtu": 1400, } // for the tunnel');
 * valueAt(["mtu"]); // { line: 1, column: 10 }
 * ```
 */
export function parseJsonc(text: string): JsoncDocument {
  const parser = new Parser(text.replace(/^\uFEFF/, ""));
  const root = parser.parse();
  const nodeAt = (path: readonly PropertyKey[]): Node | undefined => {
    let node = root;
    for (const key of path) {
      const child = node?.children?.get(String(key));
      if (child === undefined) break;
      node = child;
    }
    return node;
  };
  return {
    value: root?.value,
    faults: parser.faults,
    valueAt: (path) => parser.positionOf(nodeAt(path)?.offset ?? 0),
    keyAt(path) {
      const node = nodeAt(path);
      return parser.positionOf(node?.keyOffset ?? node?.offset ?? 0);
    },
  };
}

interface Node {
  readonly value: unknown;
  readonly offset: number;
  readonly keyOffset?: number;
  readonly children?: ReadonlyMap<string, Node>;
}

class SyntaxFault extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const SPACE = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
const STRING = /"(?:[^"\\\r\n]|\\.)*"/y;
const NUMBER = /-?\d[\w.+-]*/y;
const WORD = /[\p{L}\p{N}_$.+-]+/uy;
const LITERALS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

class Parser {
  readonly faults: JsoncFault[] = [];
  readonly #text: string;
  readonly #path: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node | undefined {
    try {
      this.#skipSpace();
      const root = this.#value();
      this.#skipSpace();
      if (this.#at === this.#text.length) return root;
      throw this.#unexpected("expected the end of the file");
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      const position = this.positionOf(error.offset);
      this.faults.push({ position, path: [], message: error.message });
      return undefined;
    }
  }

  positionOf(offset: number): Position {
    const before = this.#text.slice(0, offset);
    const line = before.split("\n").length;
    return { line, column: offset - before.lastIndexOf("\n") };
  }

  #value(): Node {
    const offset = this.#at;
    const first = this.#text[offset];
    if (first === "{") return this.#object();
    if (first === "[") return this.#array();
    if (first === '"') return { offset, value: this.#string() };
    const number = this.#match(NUMBER);
    if (number !== undefined) return { offset, value: this.#parsed(number, offset, "a number") };
    const word = this.#match(WORD);
    if (word !== undefined && LITERALS.has(word)) return { offset, value: LITERALS.get(word) };
    this.#at = offset;
    throw this.#unexpected("expected a value");
  }

  #object(): Node {
    const offset = this.#at;
    const value: Record<string, unknown> = {};
    const children = new Map<string, Node>();
    this.#members("}", () => {
      const keyOffset = this.#at;
      if (this.#text[keyOffset] !== '"') throw this.#unexpected("expected a key in double quotes");
      const key = this.#string();
      this.#path.push(key);
      this.#skipSpace();
      if (this.#text[this.#at] !== ":") {
        throw this.#unexpected(`expected : after the key ${JSON.stringify(key)}`);
      }
      this.#at++;
      this.#skipSpace();
      const child = { ...this.#value(), keyOffset };
      const earlier = children.get(key);
      if (earlier !== undefined) this.#refuseDuplicate(keyOffset, earlier.keyOffset!);
      children.set(key, child);
      // For the key `__proto__`, an assignment would set the prototype.
      Object.defineProperty(value, key, {
        configurable: true,
        enumerable: true,
        value: child.value,
        writable: true,
      });
      this.#path.pop();
    });
    return { offset, value, children };
  }

  #refuseDuplicate(keyOffset: number, earlier: number): void {
    this.faults.push({
      position: this.positionOf(keyOffset),
      path: [...this.#path],
      message: `this key occurs twice, first on line ${this.positionOf(earlier).line}`,
    });
  }

  #array(): Node {
    const offset = this.#at;
    const value: unknown[] = [];
    const children = new Map<string, Node>();
    this.#members("]", () => {
      this.#path.push(String(value.length));
      const child = this.#value();
      children.set(String(value.length), child);
      value.push(child.value);
      this.#path.pop();
    });
    return { offset, value, children };
  }

  /** Parses comma-separated members up to `end`; a comma may follow the last one. */
  #members(end: "}" | "]", member: () => void): void {
    const opened = this.#at;
    if (this.#path.length >= MAX_DEPTH) {
      throw new SyntaxFault(
        opened,
        `objects and lists may be nested at most ${MAX_DEPTH} levels deep`,
      );
    }
    this.#at++;
    const what = end === "}" ? "object" : "list";
    for (let isFirst = true;; isFirst = false) {
      this.#skipSpace();
      if (!isFirst && this.#text[this.#at] === ",") {
        this.#at++;
        this.#skipSpace();
      } else if (!isFirst && this.#at < this.#text.length && this.#text[this.#at] !== end) {
        throw this.#unexpected(`expected , or ${end}`);
      }
      if (this.#at === this.#text.length) {
        const { line } = this.positionOf(opened);
        throw this.#unexpected(`expected ${end} for the ${what} that begins on line ${line}`);
      }
      if (this.#text[this.#at] === end) break;
      member();
    }
    this.#at++;
  }

  #string(): string {
    const offset = this.#at;
    const text = this.#match(STRING);
    if (text === undefined) {
      throw new SyntaxFault(offset, `this string does not end with " on its line`);
    }
    return this.#parsed(text, offset, "a string") as string;
  }

  #parsed(text: string, offset: number, what: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new SyntaxFault(offset, `${text} is not ${what} in JSON`);
    }
  }

  #skipSpace(): void {
    this.#match(SPACE);
    if (this.#text.startsWith("/*", this.#at)) {
      throw new SyntaxFault(this.#at, "this comment does not end with */");
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [text] = pattern.exec(this.#text) ?? [];
    if (text === undefined) return undefined;
    this.#at += text.length;
    return text;
  }

  #unexpected(expected: string): SyntaxFault {
    const offset = this.#at;
    const word = this.#match(WORD);
    const found = word ?? [...this.#text.slice(offset, offset + 2)][0];
    const what = found === undefined ? "the file ends here" : `found ${found}`;
    return new SyntaxFault(offset, `${expected}, ${what}`);
  }
}
