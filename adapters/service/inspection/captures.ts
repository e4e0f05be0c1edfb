import type { CapturedLink } from "../../links/decorators/pcapng.ts";
import { PacketCapture } from "./packet_capture.ts";
import type { CaptureSource, OpenedStream } from "./stream_source.ts";

/** The captures of a link that are in progress, by their `id`. */
export class Captures {
  readonly #link: CapturedLink;
  readonly #running = new Map<string, PacketCapture>();

  constructor(link: CapturedLink) {
    this.#link = link;
  }

  /**
   * Starts a capture.
   *
   * @throws {TypeError} The filter is not valid.
   */
  open({ id, filter }: CaptureSource): OpenedStream {
    const now = () => performance.timeOrigin + performance.now();
    const capture = new PacketCapture(this.#link, filter, now, () => this.#running.delete(id));
    this.#running.set(id, capture);
    return capture.stream;
  }

  /** Ends a capture; its reader still gets what was captured. Returns false if there is none with this ID. */
  stop(id: string): boolean {
    const capture = this.#running.get(id);
    capture?.finish();
    return capture !== undefined;
  }

  /** Ends all captures. */
  close(): void {
    for (const capture of this.#running.values()) capture.finish();
  }
}
