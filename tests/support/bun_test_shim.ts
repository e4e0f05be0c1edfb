/**
 * The part of `bun:test` that the tests use, for Deno: a thin layer over `node:test` and the npm
 * package `expect`. Deno's import map maps `bun:test` to this file.
 *
 * @module
 */
import {
  after,
  afterEach as nodeAfterEach,
  before,
  beforeEach as nodeBeforeEach,
  describe as nodeDescribe,
  test as nodeTest,
} from "node:test";
import { register } from "./test_file_scope.ts";

export { expect } from "expect";

/** A test or a hook. */
export type TestBody = () => void | Promise<unknown>;
/** A time limit in milliseconds, directly or in an object. */
export type TestOptions = number | { timeout?: number };

/** Default time limit of a test; `node:test` has none. */
const DEFAULT_TIMEOUT_MS = 30_000;

function timeoutOf(options: TestOptions | undefined): { timeout: number } {
  const timeout = typeof options === "number" ? options : options?.timeout;
  return { timeout: timeout ?? DEFAULT_TIMEOUT_MS };
}

/**
 * `node:test` calls the body with a context and, if it has two parameters, a callback, unlike Bun.
 */
function bare(body: TestBody): () => Promise<void> {
  return async () => {
    running++;
    try {
      await body();
    } finally {
      running--;
    }
  };
}

let running = 0;

// On Deno 2.9 `node:test` swallows what is thrown in a timer's callback or at the top level of a
// test file. If the event does not reach its listeners, the error fails the file. Rejections during
// a test are left to the listeners, which fail that test.
globalThis.addEventListener("error", (event) => event.stopImmediatePropagation());
globalThis.addEventListener("unhandledrejection", (event) => {
  if (running === 0) event.stopImmediatePropagation();
});

/** `printf`'s `%s`, `%d`, `%i`, `%j`, `%o`, `%#` as `test.each` has them. */
function formatName(name: string, row: readonly unknown[], index: number): string {
  const values = [...row];
  return name.replace(/%[sdifjop#%]/g, (mark) => {
    if (mark === "%%") return "%";
    if (mark === "%#") return String(index);
    const value = values.shift();
    return mark === "%j" || mark === "%o" || mark === "%p" ? JSON.stringify(value) : String(value);
  });
}

interface Test {
  (name: string, body: TestBody, options?: TestOptions): void;
  /** One test per row; a row that is not an array is the only argument. */
  // deno-lint-ignore no-explicit-any -- as loose as bun:test's own type
  each(rows: readonly any[]): (
    name: string,
    // deno-lint-ignore no-explicit-any -- as above
    body: (...row: any[]) => void | Promise<unknown>,
    options?: TestOptions,
  ) => void;
  skip(name: string, body: TestBody, options?: TestOptions): void;
}

/** Registers a test. */
export const test: Test = Object.assign(
  (name: string, body: TestBody, options?: TestOptions): void => {
    register(() => nodeTest(name, timeoutOf(options), bare(body)));
  },
  {
    each: ((rows) => (name, body, options) => {
      for (const [index, row] of rows.entries()) {
        const values: unknown[] = Array.isArray(row) ? row : [row];
        test(formatName(name, values, index), () => body(...values), options);
      }
    }) satisfies Test["each"],
    skip: (name: string, body: TestBody, options?: TestOptions): void => {
      register(() => nodeTest(name, { ...timeoutOf(options), skip: true }, bare(body)));
    },
  },
);

/** The same as {@link test}. */
export const it: Test = test;

/** Groups tests. */
export function describe(name: string, body: () => void): void {
  register(() => nodeDescribe(name, body));
}

/** Runs once before the tests of the group. */
export function beforeAll(body: TestBody, options?: TestOptions): void {
  register(() => before(bare(body), timeoutOf(options)));
}

/** Runs once after the tests of the group. */
export function afterAll(body: TestBody, options?: TestOptions): void {
  register(() => after(bare(body), timeoutOf(options)));
}

/** Runs before each test of the group. */
export function beforeEach(body: TestBody, options?: TestOptions): void {
  register(() => nodeBeforeEach(bare(body), timeoutOf(options)));
}

/** Runs after each test of the group. */
export function afterEach(body: TestBody, options?: TestOptions): void {
  register(() => nodeAfterEach(bare(body), timeoutOf(options)));
}
