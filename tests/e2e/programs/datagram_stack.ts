/**
 * A stack on a TUN device with plugins on UDP: echo, and two name servers, the first of which
 * forwards to the second through the kernel. Prints "ready"; prints its counters and ends when its
 * stdin is closed.
 *
 * @module
 */
import process from "node:process";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { dns } from "../../../adapters/plugins/dns.ts";
import { createStack } from "../../../core/api/stack.ts";
import { daytime } from "../../../plugins/daytime.ts";
import { echo } from "../../../plugins/echo.ts";

const link = await openTun({ name: "berth0", addresses: ["10.90.0.1/24", "fd90::1/64"] });
const addresses = ["10.90.0.2/24", "fd90::2/64", "10.90.0.3/24"];
const stack = createStack({ link, addresses });
const many = Array.from({ length: 200 }, (_, i) => `10.90.1.${i}`);
stack.use([7, "udp/7", "udp/5000-5999"], echo()).use([13, "udp/13"], daytime());
stack.use(
  [53, "udp/53"],
  dns({
    names: {
      "db.lan": ["10.90.0.9", "fd90::9"],
      "www.lan": { cname: "db.lan" },
      "text.lan": { txt: ["hello there"] },
      "many.lan": many,
    },
    zones: ["lan"],
    upstreams: ["10.90.0.2:5300"],
  }),
);
stack.use(
  [5300, "udp/5300"],
  dns({ names: { "far.example": "192.0.2.1", "much.example": many }, zones: ["example"] }),
);
console.log("ready");
for await (const _ of process.stdin);
console.log(JSON.stringify(stack.stats()));
await stack.close();
process.exit(0);
