import { linkPair } from "../../../../adapters/links/memory.ts";
import { impair, type Impairments } from "../../../../adapters/links/decorators/impair.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import type { TcpOptions } from "../../../../core/api/config.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { FrozenConnection } from "../../../../core/api/moves/types.ts";
import type { Stack } from "../../../../core/api/types.ts";
import { SplitLink } from "../../../support/split_link.ts";

/** The address that both servers have. */
export const SERVER = "10.0.0.2";

/** A client, and two servers with one address between which connections move, in virtual time. */
export class ThreeStacks implements AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock();
  readonly client: Stack;
  /** Packets reach the first one until `route()` is called. */
  readonly servers: readonly [Stack, Stack];
  readonly #split: SplitLink;

  constructor(tcp: TcpOptions = {}, impairments?: Impairments, clientTcp: TcpOptions = tcp) {
    const { clock } = this;
    const [left, right] = linkPair();
    const wire = impairments === undefined
      ? left
      : impair(left, { ...impairments, incoming: impairments, clock, seed: 5 });
    this.client = createStack({
      clock,
      tcp: clientTcp,
      link: wire,
      addresses: ["10.0.0.1/24"],
      random: seededRandom(1),
    });
    const split = this.#split = new SplitLink(right);
    const server = (index: 0 | 1) =>
      createStack({
        clock,
        tcp,
        link: split.link(index),
        addresses: [`${SERVER}/24`],
        random: seededRandom(2 + index),
      });
    this.servers = [server(0), server(1)];
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise);
  }

  /** Packets reach this server from now on. */
  route(index: 0 | 1): void {
    this.#split.route(index);
  }

  /** Freezes the only connection of a server and thaws it in the other, to which packets are redirected. */
  async move(from: 0 | 1, pauseMs = 0): Promise<FrozenConnection> {
    const [there, here] = [this.servers[1 - from]!, this.servers[from]];
    const [connection] = here.connections();
    const frozen = await this.run(here.freeze(connection!));
    if (pauseMs > 0) await this.clock.advance(pauseMs);
    there.thaw(frozen.record, { elapsedMs: pauseMs });
    frozen.redirect((packet, segmentSize) => there.receive(packet, { segmentSize }));
    return frozen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(this.client.close());
    await this.run(this.servers[1].close());
    await this.run(this.servers[0].close());
  }
}
