/**
 * Runs the demo network for its viewers.
 *
 * @module
 */
import { type Clock, systemClock } from "../../../core/api/environment.ts";
import type { DemoNetwork } from "../../demo_network/demo_network.ts";

/** Maximum number of viewers. */
export const MAX_DEMO_VIEWERS = 16;
/** Time between two samples, in milliseconds. */
export const SAMPLE_MS = 100;

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** One network, which exists while it has viewers. All viewers see the same network, and may change its path. */
export class NetworkViewers {
  readonly #create: () => DemoNetwork;
  readonly #clock: Clock;
  readonly #viewers = new Set<Controller>();
  #network: DemoNetwork | undefined;
  #cancel = () => {};

  constructor(create: () => DemoNetwork, clock: Clock = systemClock) {
    this.#create = create;
    this.#clock = clock;
  }

  /** The network, while it has viewers. */
  get network(): DemoNetwork | undefined {
    return this.#network;
  }

  /**
   * Opens a stream of samples as server-sent events; a slow viewer misses some. `undefined` if there are too many
   * viewers.
   */
  open(): ReadableStream<Uint8Array<ArrayBuffer>> | undefined {
    if (this.#viewers.size >= MAX_DEMO_VIEWERS) return undefined;
    let own: Controller;
    return new ReadableStream({
      start: (controller) => {
        own = controller;
        this.#viewers.add(controller);
        if (this.#network !== undefined) return;
        this.#network = this.#create();
        this.#schedule();
      },
      cancel: () => {
        this.#viewers.delete(own);
        if (this.#viewers.size === 0) this.#end();
      },
    }, { highWaterMark: 2 });
  }

  /** Ends the network and all streams. */
  close(): void {
    for (const controller of this.#viewers) controller.close();
    this.#viewers.clear();
    this.#end();
  }

  #end(): void {
    this.#cancel();
    void this.#network?.close();
    this.#network = undefined;
  }

  #schedule(): void {
    this.#cancel = this.#clock.schedule(this.#clock.now() + SAMPLE_MS, () => {
      this.#schedule();
      const event = `data: ${JSON.stringify(this.#network!.sample())}\n\n`;
      const bytes = new TextEncoder().encode(event);
      for (const controller of this.#viewers) {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(bytes);
      }
    });
  }
}
