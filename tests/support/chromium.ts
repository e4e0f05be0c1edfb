/**
 * Headless Chromium, controlled through its DevTools protocol.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "./program.ts";

const FLAGS = [
  "--headless",
  "--no-sandbox", // not possible as root
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  // No connection but to the test's server.
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  "--remote-debugging-port=0",
];

/** A running browser with a temporary profile. */
export class Chromium implements AsyncDisposable {
  readonly #program: Program;
  readonly #profile: string;
  readonly #devTools: WebSocket;
  #commands = 0;
  readonly #answers = new Map<number, (message: Answer) => void>();

  private constructor(program: Program, profile: string, devTools: WebSocket) {
    this.#program = program;
    this.#profile = profile;
    this.#devTools = devTools;
    devTools.addEventListener("message", ({ data }) => {
      const answer: Answer = JSON.parse(data);
      this.#answers.get(answer.id)?.(answer);
      this.#answers.delete(answer.id);
    });
  }

  /** Starts it; requires `"program:chromium"`. */
  static async open(...flags: readonly string[]): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), "berth-chromium-"));
    const command = ["chromium", ...FLAGS, ...flags, `--user-data-dir=${profile}`, "about:blank"];
    const program = new Program(command, profile);
    const [, url] = await program.printed(/DevTools listening on (ws:\S+)/, "log");
    const devTools = new WebSocket(url!);
    await new Promise((resolve) => devTools.addEventListener("open", resolve));
    return new Chromium(program, profile, devTools);
  }

  /** Opens a page in a tab of its own; resolves when it has loaded. */
  async visit(url: string): Promise<Tab> {
    const { targetId } = await this.#ask("Target.createTarget", { url });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    const tab: Tab = {
      evaluate: async (expression) => {
        const parameters = { expression, awaitPromise: true, returnByValue: true };
        const { result } = await this.#ask("Runtime.evaluate", parameters, sessionId as string);
        return (result as { value: unknown }).value;
      },
    };
    // Until then the tab has an empty page, which is replaced.
    const hasLoaded = `location.href !== "about:blank" && document.readyState === "complete"`;
    while (await tab.evaluate(hasLoaded).catch(() => false) !== true) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return tab;
  }

  /** Ends it and removes its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ask("Browser.close", {});
    await this.#program.finish(10_000);
    this.#devTools.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async #ask(
    method: string,
    params: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#commands;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(id, resolve));
    this.#devTools.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answered;
    if (result === undefined) throw new Error(`${method}: ${error?.message}`);
    return result;
  }
}

/** A tab with a page. */
export interface Tab {
  /** Evaluates an expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>;
}

interface Answer {
  readonly id: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}
