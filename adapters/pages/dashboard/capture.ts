/**
 * Records the packets of a connection to a pcapng file.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { bytes, text } from "../shared/format.ts";
import { html } from "../shared/html.ts";
import type { Api, Row } from "./api.ts";

/** A recording ends at this size, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A button that starts and ends a recording, and saves it. */
export function CaptureButton({ api, row }: {
  readonly api: Api;
  readonly row: Row | undefined;
}): VNode {
  const [recording, setRecording] = useState<Recording | undefined>(undefined);
  const [size, setSize] = useState(0);
  const [trouble, setTrouble] = useState("");
  useEffect(() => () => recording?.discard(), [recording]);
  const start = () => {
    setTrouble("");
    setSize(0);
    const next = new Recording(api, row!, setSize);
    setRecording(next);
    next.run().then(save, (error: Error) => setTrouble(error.message))
      .finally(() => setRecording(undefined));
  };
  return html`
    ${trouble !== "" && html`<span role="alert">${trouble}</span>`}
    ${recording === undefined
      ? html`<button disabled=${row === undefined} onClick=${start}>Record packets</button>`
      : html`
        <button class="primary" onClick=${() => recording.stop()}>
          Save ${text(bytes(size))} as pcapng
        </button>
      `}
  `;
}

function save(file: Blob | undefined): void {
  if (file === undefined) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "berth.pcapng";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A recording; holds at most {@link MAX_BYTES}. */
class Recording {
  readonly #api: Api;
  readonly #row: Row;
  readonly #onSize: (size: number) => void;
  readonly #id = crypto.randomUUID();
  readonly #leaving = new AbortController();

  constructor(api: Api, row: Row, onSize: (size: number) => void) {
    this.#api = api;
    this.#row = row;
    this.#onSize = onSize;
  }

  /** Resolves with the file when the recording has been stopped, or with `undefined` if it was discarded. */
  async run(): Promise<Blob | undefined> {
    const query = new URLSearchParams({ id: this.#id, filter: filterOf(this.#row) });
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    try {
      const answer = await this.#api.send("GET", `/capture?${query}`, this.#leaving.signal);
      const reader = answer.body!.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        chunks.push(value);
        size += value.length;
        this.#onSize(size);
        if (size >= MAX_BYTES) this.stop();
      }
    } catch (error) {
      if (this.#leaving.signal.aborted) return undefined;
      throw error;
    }
    return new Blob(chunks, { type: "application/x-pcapng" });
  }

  /** Ends the recording; the service sends the rest. */
  stop(): void {
    this.#api.ask("DELETE", `/capture/${this.#id}`).catch(() => this.#leaving.abort());
  }

  /** Ends the recording without a file. */
  discard(): void {
    this.#leaving.abort();
  }
}

/** The packets of a connection, in both directions. */
function filterOf({ local, remote }: Row): string {
  const parts = [local, remote].map((address) => {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address)!;
    return `host ${host} and port ${port}`;
  });
  return `tcp and ${parts.join(" and ")}`;
}
