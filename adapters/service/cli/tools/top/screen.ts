/**
 * Switches the terminal to full screen, and restores it however the program ends.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import type { Line } from "./render.ts";

/** Switch to the alternate screen without cursor and wrapping, and back. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
const STYLES: Readonly<Record<Line["style"], string>> = {
  plain: "",
  bold: "\x1b[1m",
  reverse: "\x1b[7m",
};

/** Whether the process has a terminal for input and output. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** The screen of the process. */
export class Screen {
  readonly #onInput: (text: string) => void;
  readonly #onResize: () => void;
  #isOpen = false;
  readonly #restore = () => this.#leave();
  readonly #input = (chunk: Uint8Array | string) =>
    this.#onInput(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));

  /** `onInput` gets what is typed, `onResize` is called when the size has changed. */
  constructor(onInput: (text: string) => void, onResize: () => void) {
    this.#onInput = onInput;
    this.#onResize = onResize;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    // Restores the terminal when the process exits without close(), after a second signal or an uncaught error.
    process.on("exit", this.#restore);
    process.on("SIGWINCH", this.#onResize);
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#input);
    process.stdin.resume();
    write(ENTER);
  }

  /** Shows lines from the top. */
  draw(lines: readonly Line[]): void {
    if (!this.#isOpen) return;
    const text = lines.map(({ text, style }) => `${STYLES[style]}${text}\x1b[0m\x1b[K`).join(
      "\r\n",
    );
    write(`\x1b[H${text}\x1b[J`);
  }

  /** Columns and rows. */
  get size(): readonly [number, number] {
    const [columns, rows] = process.stdout.getWindowSize();
    return [columns || 80, rows || 24];
  }

  close(): void {
    process.off("exit", this.#restore);
    process.off("SIGWINCH", this.#onResize);
    process.stdin.off("data", this.#input);
    process.stdin.pause();
    this.#leave();
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    write(LEAVE);
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
    }
  }
}

/** Writes synchronously, because the process may be about to exit. If the terminal has gone, the text is dropped. */
function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
  }
}
