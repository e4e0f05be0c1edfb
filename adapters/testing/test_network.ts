import type { StackOptions } from "../../core/api/stack.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack } from "../../core/api/types.ts";
import type { Impairments } from "../links/decorators/impair/impairments.ts";
import { impair } from "../links/decorators/impair.ts";
import { linkPair } from "../links/memory.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import { VirtualClock } from "../runtime/virtual_clock.ts";
import { TestClient } from "./test_client.ts";

/** Options of {@link testNetwork}: impairments of packets in both directions, and others. */
export interface TestNetworkOptions extends Impairments {
  /** The same seed gives the same losses and sequence numbers. Default 1. */
  seed?: number;
  /** TCP options of both stacks. Default: the profile `local`. */
  tcp?: StackOptions["tcp"];
}

const SERVER = "10.0.0.1";

/**
 * A server and a client on one link, in memory and in virtual time: hours of protocol time take milliseconds, and
 * every run is the same.
 *
 * @throws {RangeError} A number is out of range.
 *
 * @example
 * ```ts
 * import { timeout } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 * import { testNetwork } from "@berth/berth/testing";
 *
 * await using network = testNetwork({ loss: 0.1, delayMs: 50 });
 * network.server.use(7, timeout({ idleMs: 60_000 }), echo());
 *
 * const client = await network.connect(7);
 * await client.send("ahoy\n");
 * if (await client.receiveLine() !== "ahoy") throw new Error("no echo");
 * await network.clock.advance(120_000);
 * if (client.socket.state !== "CLOSED") throw new Error("still open");
 * ```
 */
export function testNetwork(options: TestNetworkOptions = {}): TestNetwork {
  return new TestNetwork(options);
}

/**
 * Two stacks in virtual time; made by {@link testNetwork}.
 *
 * @example
 * ```ts
 * import { echo } from "@berth/berth/plugins";
 * import { testNetwork } from "@berth/berth/testing";
 *
 * await using network = testNetwork({ loss: 0.2 });
 * network.server.use("udp/7", echo());
 * using socket = network.client.listenDatagram({ port: 0 });
 * await network.run(socket.send(new TextEncoder().encode("ahoy"), "10.0.0.1:7"));
 * ```
 */
export class TestNetwork implements AsyncDisposable {
  /** The time of both stacks; it passes only while something is awaited through this network. */
  readonly clock: VirtualClock = new VirtualClock();
  /** Has the address 10.0.0.1. */
  readonly server: Stack;
  /** Has the address 10.0.0.2. */
  readonly client: Stack;

  /** Called by {@link testNetwork}. */
  constructor({ seed = 1, tcp, ...impairments }: TestNetworkOptions) {
    const { clock } = this;
    const [here, there] = linkPair();
    const common = { clock, random: seededRandom(seed), ...tcp !== undefined && { tcp } };
    const link = impair(here, { seed, clock, ...impairments, incoming: impairments });
    this.server = createStack({ link, addresses: [`${SERVER}/24`, "fd00::1/64"], ...common });
    this.client = createStack({
      link: there,
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      ...common,
    });
  }

  /** Lets time pass until a promise settles, at most an hour; returns its result. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise);
  }

  /**
   * Connects the client to a port of the server; resolves once the connection is open.
   *
   * @throws {TcpError} The connection is refused, or nothing answers.
   */
  async connect(port: number): Promise<TestClient> {
    const socket = this.client.connect({ hostname: SERVER, port }, { allowHalfOpen: true });
    await this.run(socket.opened);
    return new TestClient(socket, this.clock);
  }

  /** Closes both stacks. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(Promise.all([this.client.close(), this.server.close()]));
  }
}
