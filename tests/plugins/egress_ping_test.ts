import { describe, expect, test } from "bun:test";
import { linkPair } from "../../adapters/links/memory.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { createStack, type StackOptions } from "../../core/api/stack.ts";
import { PacketBatch } from "../../core/stack/link.ts";
import { echo } from "../../plugins/echo.ts";
import { egressThrough } from "../../plugins/egress.ts";
import { echoReplyPayload, echoRequest, pattern } from "../support/packets.ts";

const nobody = () => Promise.reject(new Error("not in this test"));

/** Returns the addresses that answer an echo request. */
async function answering(to: readonly string[], options: Partial<StackOptions>, isEgress = true) {
  const [here, there] = linkPair();
  await using stack = createStack({
    link: here,
    addresses: ["10.7.0.2/24", "0.0.0.0/0"],
    exceptAddresses: ["10.0.0.1"],
    random: seededRandom(1),
    ...options,
  });
  const egress = egressThrough({ dial: nobody, dialDatagrams: nobody })({});
  stack.use("*", isEgress ? egress : echo());
  const answered: string[] = [];
  const batch = new PacketBatch(1);
  for (const address of [...to, "10.7.0.2"]) {
    there.send(echoRequest({ from: "10.0.0.1", to: address }, pattern(8)));
  }
  // The stack's own address answers last.
  while (answered.at(-1) !== "10.7.0.2" && await there.ready()) {
    if (there.receive(batch) === 0) continue;
    const packet = batch.packets[0]!.slice(0, batch.sizes[0]);
    if (echoReplyPayload(packet) !== undefined) answered.push(packet.subarray(12, 16).join("."));
  }
  return answered;
}

describe("ping through egress", () => {
  // The remote host may not exist; the stack's own address does.
  test("is answered only for the stack's own addresses", async () => {
    expect(await answering(["198.51.100.1", "10.8.0.1"], {})).toEqual(["10.7.0.2"]);
  });

  // Answers can be configured for all or some addresses.
  test("is answered if configured by icmp", async () => {
    const all = await answering(["198.51.100.1"], { icmp: { echo: "answer" } });
    expect(all).toEqual(["198.51.100.1", "10.7.0.2"]);
    const some = { icmp: [{ to: "10.8.0.0/16", echo: "answer" as const }] };
    expect(await answering(["198.51.100.1", "10.8.0.1"], some)).toEqual(["10.8.0.1", "10.7.0.2"]);
  });

  // Other plugins serve the address themselves.
  test("is answered for a network that is served here", async () => {
    expect(await answering(["10.8.0.1"], {}, false)).toEqual(["10.8.0.1", "10.7.0.2"]);
  });
});
