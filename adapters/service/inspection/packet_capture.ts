import { concatenate } from "../../../core/wire/bytes.ts";
import type { CapturedLink, LinkRecording } from "../../links/decorators/pcapng.ts";
import { interfaceStatistics } from "../../links/decorators/pcapng/blocks.ts";
import type { OpenedStream } from "./stream_source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Maximum number of bytes that wait for the reader; further packets are dropped and counted. */
export const MAX_WAITING_BYTES: number = 4 * 1024 * 1024;
/** Size of a chunk in bytes; a chunk has at least one block. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The packets of a link as a pcapng stream. The link never waits for the reader: packets without room are dropped and
 * counted. After a gap and at the end, interface statistics have the number of dropped packets.
 */
export class PacketCapture {
  readonly stream: OpenedStream;
  readonly #recording: LinkRecording;
  readonly #now: () => number;
  readonly #onEnd: () => void;
  #blocks: Bytes[] = [];
  #waiting = 0;
  /** Dropped packets that the statistics have reported. */
  #reported = 0;
  #isFinished = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;

  /**
   * Starts the capture at once. `now` returns milliseconds since 1970; `onEnd` is called when the capture has ended.
   *
   * @throws {TypeError} The filter is not valid.
   */
  constructor(
    link: CapturedLink,
    filter: string | undefined,
    now: () => number,
    onEnd: () => void = () => {},
  ) {
    this.#now = now;
    this.#onEnd = onEnd;
    this.#recording = link.record((block) => this.#push(block), {
      ...filter !== undefined && { filter },
      hasRoom: () => this.#hasRoom(),
    });
    this.stream = new ReadableStream({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  /** Ends the recording; the reader still gets what waits, and the statistics. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#recording.stop();
    this.#wake?.();
  }

  #push(block: Bytes): void {
    this.#blocks.push(block);
    this.#waiting += block.length;
    this.#wake?.();
  }

  /**
   * Whether there is room for a packet. After a gap there is none until half of the queue has been read, so that gaps
   * are few.
   */
  #hasRoom(): boolean {
    const { dropped } = this.#recording;
    if (dropped === this.#reported) return this.#waiting < MAX_WAITING_BYTES;
    if (this.#waiting > MAX_WAITING_BYTES / 2) return false;
    this.#push(this.#statistics());
    return true;
  }

  #statistics(): Bytes {
    const { selected, dropped } = this.#recording;
    this.#reported = dropped;
    return interfaceStatistics(this.#now(), selected, dropped);
  }

  async #pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    while (this.#blocks.length === 0 && !this.#isFinished) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#blocks.length > 0) return controller.enqueue(this.#take());
    if (!this.#hasEnded) {
      controller.enqueue(this.#statistics());
      this.#end();
    }
    controller.close();
  }

  #take(): Bytes {
    let [count, size] = [0, 0];
    while (count < this.#blocks.length && (count === 0 || size < CHUNK_BYTES)) {
      size += this.#blocks[count++]!.length;
    }
    this.#waiting -= size;
    return concatenate(this.#blocks.splice(0, count));
  }

  #end(): void {
    this.#hasEnded = true;
    this.#blocks = [];
    this.#waiting = 0;
    this.finish();
    this.#onEnd();
  }
}
