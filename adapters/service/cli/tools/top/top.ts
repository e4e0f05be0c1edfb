/**
 * `berth top`: a live table of connections.
 *
 * @module
 */
import { messageLine, UsageError } from "../../../errors.ts";
import { type Tool, type ToolArguments, type ToolContext, wholeNumber } from "../tool.ts";
import { COLUMNS } from "./columns.ts";
import { type Key, keysOf } from "./keys.ts";
import { pageSize, render, renderOnce, type View } from "./render.ts";
import { type Query, type Sample, Sampler } from "./sampler.ts";
import { hasTerminal, Screen } from "./screen.ts";

/** Maximum number of rows of a table that is printed once. */
const PRINTED_ROWS = 1000;

/** The command. */
export const TOP: Tool = {
  help: "a live table of connections, rates and drops; keys: h for help, q to quit",
  usage: "[-d SECONDS]",
  flags: {
    delay: { short: "d", value: "SECONDS", help: "time between updates; default 1" },
  },
  check: ({ flags, words }) => {
    delayOf(flags);
    if (words.length > 0) throw new UsageError(`top: "${words.join(" ")}" is not expected`);
  },
  run: (context) => hasTerminal() ? new Top(context).run() : printOnce(context),
};

function delayOf(flags: ToolArguments["flags"]): number {
  return (wholeNumber("--delay", flags["delay"], 1, 3600) ?? 1) * 1000;
}

const START: Omit<Query, "limit"> = { filter: "", sort: "outRate", descending: true, offset: 0 };

/** Prints one table. It takes two samples, because rates need two. */
async function printOnce({ service, out, signal, flags }: ToolContext): Promise<void> {
  const sampler = new Sampler(service, () => performance.now());
  const query = { ...START, limit: PRINTED_ROWS };
  await sampler.take(query);
  await pause(delayOf(flags), signal);
  const sample = await sampler.take(query);
  const view = { sample, query, selected: undefined, message: undefined, isHelp: false };
  await out.write(`${renderOnce(view)}\n`);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The full-screen program. */
class Top {
  readonly #context: ToolContext;
  readonly #sampler: Sampler;
  readonly #screen: Screen;
  #query: Omit<Query, "limit"> = START;
  #sample: Sample | undefined;
  #selected = 0;
  #message: string | undefined;
  #isHelp = false;
  /** What is being typed after `/`. */
  #typed: string | undefined;
  /** The connection that `k` asks about. */
  #doomed: string | undefined;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  /** Milliseconds that the service took for the last sample. */
  #took = 0;

  constructor(context: ToolContext) {
    this.#context = context;
    this.#sampler = new Sampler(context.service, () => performance.now());
    this.#screen = new Screen(
      (text) => keysOf(text).forEach((key) => this.#press(key)),
      () => this.#refresh(),
    );
  }

  async run(): Promise<void> {
    const { signal, flags } = this.#context;
    const end = () => this.#end();
    signal.addEventListener("abort", end);
    // Take a sample before the screen is entered, so that a service that cannot be reached is an ordinary error.
    await this.#take();
    this.#screen.open();
    try {
      while (!this.#hasEnded && !signal.aborted) {
        this.#draw();
        await this.#wait(Math.max(delayOf(flags), MAX_SHARE * this.#took));
        if (!this.#hasEnded) await this.#update();
      }
    } finally {
      this.#screen.close();
      signal.removeEventListener("abort", end);
    }
  }

  /** Takes a sample. An error, such as during a restart of the service, is shown, and sampling continues. */
  async #update(): Promise<void> {
    try {
      await this.#take();
      if (this.#message?.startsWith(UNREACHABLE)) this.#message = undefined;
    } catch (error) {
      this.#message = `${UNREACHABLE}${messageLine(error)}`;
    }
  }

  async #take(): Promise<void> {
    const limit = this.#limit;
    const began = performance.now();
    this.#sample = await this.#sampler.take({ ...this.#query, limit });
    this.#took = performance.now() - began;
    const { total, rows } = this.#sample;
    // Connections have ended, and the page is now beyond the last one.
    if (rows.length === 0 && this.#query.offset > 0) {
      this.#query = { ...this.#query, offset: Math.max(0, Math.ceil(total / limit) - 1) * limit };
    }
    this.#selected = Math.max(0, Math.min(this.#selected, rows.length - 1));
  }

  get #limit(): number {
    return pageSize(this.#screen.size[1]);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #draw(): void {
    const [columns, rows] = this.#screen.size;
    const view: View = {
      sample: this.#sample,
      query: { ...this.#query, limit: this.#limit },
      selected: this.#selected,
      message: this.#prompt,
      isHelp: this.#isHelp,
    };
    this.#screen.draw(render(view, columns, rows));
  }

  get #prompt(): string | undefined {
    if (this.#typed !== undefined) return `filter: ${this.#typed}_  (Enter applies, Esc cancels)`;
    if (this.#doomed !== undefined) return `reset ${this.#doomed}? y/n`;
    return this.#message;
  }

  /** Shows the current state at once, and takes a new sample. */
  #refresh(): void {
    this.#draw();
    this.#wake?.();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  #press(key: Key): void {
    if (key === "interrupt") return this.#end();
    if (this.#typed !== undefined) return this.#type(key);
    if (this.#doomed !== undefined) return this.#decide(key);
    if (this.#isHelp) this.#isHelp = false;
    else this.#command(key);
    this.#draw();
  }

  #command(key: Key): void {
    this.#message = undefined;
    const { offset, descending } = this.#query;
    const page = this.#limit;
    const rows = this.#sample?.rows.length ?? 0;
    switch (key) {
      case "q":
        return this.#end();
      case "h":
      case "?":
        this.#isHelp = true;
        return;
      case "/":
        this.#typed = this.#query.filter;
        return;
      case "escape":
        return this.#ask({ filter: "", offset: 0 });
      case "up":
        this.#selected = Math.max(0, this.#selected - 1);
        return;
      case "down":
        this.#selected = Math.min(Math.max(0, rows - 1), this.#selected + 1);
        return;
      case "page down":
        if (offset + page < (this.#sample?.total ?? 0)) this.#ask({ offset: offset + page });
        return;
      case "page up":
        return this.#ask({ offset: Math.max(0, offset - page) });
      case "home":
        this.#selected = 0;
        return this.#ask({ offset: 0 });
      case "<":
      case "left":
        return this.#sortBeside(-1);
      case ">":
      case "right":
        return this.#sortBeside(1);
      case "i":
        return this.#ask({ descending: !descending, offset: 0 });
      case "k":
        this.#doomed = this.#sample?.rows[this.#selected]?.id;
        return;
      case " ":
        return this.#wake?.();
    }
  }

  /** Sorts by the next column; numbers begin with the largest, text with the smallest. */
  #sortBeside(step: 1 | -1): void {
    const at = COLUMNS.findIndex(({ sort }) => sort === this.#query.sort);
    const next = COLUMNS[(at + step + COLUMNS.length) % COLUMNS.length]!;
    this.#ask({ sort: next.sort, descending: next.isNumber, offset: 0 });
  }

  #ask(changes: Partial<Query>): void {
    this.#query = { ...this.#query, ...changes };
    this.#wake?.();
  }

  #type(key: Key): void {
    if (key === "enter") {
      const filter = this.#typed!;
      this.#typed = undefined;
      this.#selected = 0;
      this.#ask({ filter, offset: 0 });
    } else if (key === "escape") this.#typed = undefined;
    else if (key === "backspace") this.#typed = this.#typed!.slice(0, -1);
    else if (key.length === 1) this.#typed += key;
    this.#draw();
  }

  #decide(key: Key): void {
    const id = this.#doomed!;
    this.#doomed = undefined;
    this.#draw();
    if (key !== "y") return;
    this.#context.service.ask("DELETE", `/connections/${encodeURIComponent(id)}`).then(
      () => this.#message = `${id} was reset`,
      (error) => this.#message = messageLine(error),
    ).finally(() => this.#refresh());
  }
}

const UNREACHABLE = "no answer: ";
/**
 * `top` waits this many times as long as the last sample took, so that it uses at most a twentieth of the service's
 * time.
 */
const MAX_SHARE = 20;
