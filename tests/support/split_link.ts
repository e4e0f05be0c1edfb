import type { Link, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";

/** One end of a link, shared by several stacks: all send over it, one of them receives. */
export class SplitLink {
  readonly #end: Link;
  /** Which of the links receives. */
  #receiver = 0;
  readonly #wakers: ((open: boolean) => void)[] = [];

  constructor(end: Link) {
    this.#end = end;
  }

  /** Packets reach the stack on link `index` from now on, as after a change of the route. */
  route(index: number): void {
    this.#receiver = index;
    for (const wake of this.#wakers.splice(0)) wake(true);
  }

  /** The link of one stack. */
  link(index: number): Link {
    const end = this.#end;
    let isClosed = false;
    const isReceiver = () => this.#receiver === index;
    return {
      name: `split-${index}`,
      features: end.features,
      receive: (batch: PacketBatch) => isReceiver() ? end.receive(batch) : 0,
      ready: async () => {
        while (!isClosed && !isReceiver()) {
          await new Promise<boolean>((resolve) => this.#wakers.push(resolve));
        }
        return !isClosed && await end.ready();
      },
      send: (packet: OutgoingPacket) => end.send(packet),
      close: () => {
        isClosed = true;
        for (const wake of this.#wakers.splice(0)) wake(false);
        return isReceiver() ? end.close() : Promise.resolve();
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}
