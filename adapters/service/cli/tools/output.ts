import type { WriteStream } from "node:tty";

/** The standard output of a command, or a file. */
export interface Output {
  readonly isTerminal: boolean;
  /** Size of the terminal in characters; 80 and 24 if the output is not a terminal. */
  readonly columns: number;
  readonly rows: number;
  /** Writes text or bytes, and waits until the reader has taken them; resolves with false once the reader has gone. */
  write(text: string | Uint8Array): Promise<boolean>;
  /** Resolves when everything has been written. */
  close(): Promise<void>;
}

/** What {@link outputTo} writes to: `process.stdout`, or a file stream. */
type Writable = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

/**
 * An output on a stream. When the reader of a pipe has gone, as with `| head`, writing returns false
 * instead of failing; other errors are thrown by the next call.
 */
export function outputTo(stream: Writable): Output {
  let failure: unknown;
  let isGone = false;
  const note = (error: NodeJS.ErrnoException | null | undefined) => {
    if (error?.code === "EPIPE") isGone = true;
    else failure ??= error ?? undefined;
  };
  stream.on("error", note);
  const check = () => {
    if (failure !== undefined) throw failure;
    return !isGone;
  };
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    async write(text) {
      if (!check()) return false;
      await new Promise<void>((resolve) => {
        // The stream calls this before it emits the event with the same error.
        stream.write(text, (error) => {
          note(error);
          resolve();
        });
      });
      return check();
    },
    async close() {
      await new Promise<void>((resolve) => stream.end(() => resolve()));
      check();
    },
  };
}
