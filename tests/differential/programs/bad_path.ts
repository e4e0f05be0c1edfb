/**
 * A stack on a TUN device behind a path impaired in both directions: `bad_path.ts JSON`, see {@link
 * BadPathOptions}. Serves echo on port 7. Prints "ready"; ends when its stdin is closed.
 *
 * @module
 */
import process from "node:process";
import { impair, type Impairments } from "../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { systemClock } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import { echo } from "../../../plugins/echo.ts";
import { relay } from "../relay.ts";

/** Options of the program. */
export interface BadPathOptions {
  profile: "local" | "internet";
  seed: number;
  /** In each direction. */
  impairments: Impairments;
}

const { profile, seed, impairments }: BadPathOptions = JSON.parse(process.argv[2]!);
const addresses = ["10.90.0.1/24", "fd90::1/64"];
const device = await openTun({ name: "berth0", addresses, offload: false });
const [near, far] = linkPair();
const given = { clock: systemClock, ...impairments };
const stack = createStack({
  link: near,
  addresses: ["10.90.0.2/24", "fd90::2/64"],
  tcp: { profile },
});
stack.use(7, echo());
void relay(device, impair(far, { seed, ...given }));
void relay(far, impair(device, { seed: seed + 1, ...given }));
console.log("ready");
for await (const _ of process.stdin);
await stack.close();
process.exit(0);
