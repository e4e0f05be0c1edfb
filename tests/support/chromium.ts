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
  // Connections only to the test's server.
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
  /** By the session of their tab. */
  readonly #observations = new Map<string, Observation>();

  private constructor(program: Program, profile: string, devTools: WebSocket) {
    this.#program = program;
    this.#profile = profile;
    this.#devTools = devTools;
    devTools.addEventListener("message", ({ data }) => {
      const answer: Answer & Event = JSON.parse(data);
      if (answer.sessionId !== undefined && answer.method !== undefined) {
        this.#observations.get(answer.sessionId)?.hear(answer);
      }
      this.#answers.get(answer.id)?.(answer);
      this.#answers.delete(answer.id);
    });
  }

  /** Starts a browser; requires `"program:chromium"`. */
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
    const tab = new Tab((method, params) => this.#ask(method, params, sessionId as string));
    // Until then the tab has an empty page, which is replaced.
    const hasLoaded = `location.href !== "about:blank" && document.readyState === "complete"`;
    while (await tab.evaluate(hasLoaded).catch(() => false) !== true) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return tab;
  }

  /** Opens a page as {@link visit} does, and records what it requests and reports from the first byte on. */
  async observe(url: string): Promise<{ tab: Tab; observation: Observation }> {
    const { targetId } = await this.#ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    const ask: Ask = (method, params) => this.#ask(method, params, sessionId as string);
    const observation = new Observation();
    this.#observations.set(sessionId as string, observation);
    for (const domain of ["Network", "Runtime", "Log", "Page"]) await ask(`${domain}.enable`, {});
    const tab = new Tab(ask);
    await tab.open(url);
    return { tab, observation };
  }

  /** Ends the browser and removes its profile. */
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

/** What a page did. */
export class Observation {
  /** URLs, whether they were answered or not. */
  readonly requests: string[] = [];
  /** Errors and warnings of the console, and exceptions. */
  readonly complaints: string[] = [];

  /** Takes an event of the DevTools protocol. */
  hear({ method, params }: Event): void {
    if (method === "Network.requestWillBeSent") this.requests.push(params.request!.url);
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params));
    if (method === "Runtime.consoleAPICalled" && /^(error|warning|assert)$/.test(params.type!)) {
      this.complaints.push(JSON.stringify(params.args));
    }
    if (method === "Log.entryAdded" && /^(error|warning)$/.test(params.entry!.level)) {
      this.complaints.push(`${params.entry!.text} ${params.entry!.url}`);
    }
  }
}

/** The used part of an event of the DevTools protocol. */
interface Event {
  readonly sessionId?: string;
  readonly method?: string;
  readonly params: {
    readonly request?: { readonly url: string };
    readonly type?: string;
    readonly args?: readonly unknown[];
    readonly entry?: { readonly level: string; readonly text: string; readonly url?: string };
  };
}

/** A command of the DevTools protocol. */
type Ask = (
  method: string,
  params: Record<string, unknown>,
) => Promise<Record<string, unknown>>;

/** How a page is shown. */
export interface Appearance {
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
}

const KEYS: Readonly<Record<string, { code: number; text?: string }>> = {
  Tab: { code: 9 },
  Enter: { code: 13, text: "\r" },
  Escape: { code: 27 },
  " ": { code: 32, text: " " },
  End: { code: 35 },
};
const SHIFT = 8;
const POLL_MS = 20;

/** A tab with a page. */
export class Tab {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Opens another page; resolves when it has loaded. */
  async open(url: string): Promise<void> {
    await this.#ask("Page.navigate", { url });
    await this.until(
      `location.href === ${JSON.stringify(url)} && document.readyState === "complete"`,
    );
  }

  /** Clicks the first visible link with a text, once it is there. */
  async follow(text: string): Promise<void> {
    await this.until(`(() => {
      const links = [...document.querySelectorAll("a")];
      const link = links.find((one) => one.checkVisibility() && one.innerText.trim() === ${
      JSON.stringify(text)
    });
      link?.click();
      return link !== undefined;
    })()`);
  }

  /** Evaluates an expression in the page; a promise is awaited. */
  async evaluate(expression: string): Promise<unknown> {
    const parameters = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#ask("Runtime.evaluate", parameters);
    if (exceptionDetails !== undefined) {
      const { exception } = exceptionDetails as { exception?: { description?: string } };
      throw new Error(exception?.description ?? "exception in the page");
    }
    return (result as { value: unknown }).value;
  }

  /** Resolves with the value of an expression once it is true. */
  async until(expression: string, limitMs = 15_000): Promise<unknown> {
    for (let waited = 0; waited < limitMs; waited += POLL_MS) {
      const value = await this.evaluate(expression).catch(() => undefined);
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const text = await this.evaluate("document.body.innerText");
    throw new Error(`not within ${limitMs} ms: ${expression}\n${text}`);
  }

  /** Presses a key. */
  async press(key: string, { shift = false }: { readonly shift?: boolean } = {}): Promise<void> {
    const { code, text } = KEYS[key]!;
    const common = { key, code: key, windowsVirtualKeyCode: code, modifiers: shift ? SHIFT : 0 };
    await this.#ask("Input.dispatchKeyEvent", {
      ...common,
      type: text === undefined ? "rawKeyDown" : "keyDown",
      ...text !== undefined && { text },
    });
    await this.#ask("Input.dispatchKeyEvent", { ...common, type: "keyUp" });
  }

  /** Types text where the focus is. */
  async type(text: string): Promise<void> {
    await this.#ask("Input.insertText", { text });
  }

  /** Sets the size of the page and the colours that its reader prefers. */
  async show({ width, height, dark }: Appearance): Promise<void> {
    await this.#ask("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await this.#ask("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
    });
  }

  /** The visible part as a PNG. */
  async screenshot(): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.#ask("Page.captureScreenshot", {
      format: "png",
      optimizeForSpeed: false,
    });
    return Uint8Array.fromBase64(data as string);
  }
}

interface Answer {
  readonly id: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}
