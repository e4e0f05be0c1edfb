/**
 * A network for tests, in memory and in virtual time: an hour of protocol time takes milliseconds, and the same seed
 * gives the same result.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { echo } from "@berth/berth/plugins";
 * import { impair, linkPair, seededRandom, VirtualClock } from "@berth/berth/testing";
 *
 * const clock = new VirtualClock();
 * const [here, there] = linkPair();
 * const lossy = impair(here, { seed: 1, clock, loss: 0.1, delayMs: 20 });
 * await using server = createStack({
 *   link: lossy,
 *   addresses: ["10.0.0.1/24"],
 *   clock,
 *   random: seededRandom(1),
 * });
 * server.use(7, echo());
 * ```
 *
 * @module
 */
export { VirtualClock } from "../adapters/runtime/virtual_clock.ts";
export { type SeededRandom, seededRandom } from "../adapters/runtime/seeded_random.ts";
export { linkPair, type LinkPairOptions } from "../adapters/links/memory.ts";
export {
  impair,
  type ImpairedCounts,
  type ImpairedLink,
  type Impairments,
  type ImpairOptions,
  type LinkImpairments,
} from "../adapters/links/decorators/impair.ts";
export {
  TestNetwork,
  testNetwork,
  type TestNetworkOptions,
} from "../adapters/testing/test_network.ts";
export type { TestClient } from "../adapters/testing/test_client.ts";
