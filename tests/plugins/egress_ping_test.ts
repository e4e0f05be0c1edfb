import { describe, expect, test } from "bun:test";
import { linkPair } from "../../adapters/links/memory.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { createStack, type StackOptions } from "../../core/api/stack.ts";
import { PacketBatch } from "../../core/stack/link.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { echo } from "../../plugins/echo.ts";
import { egressThrough } from "../../plugins/egress.ts";
import { echoReplyPayload, echoRequest, pattern } from "../support/packets.ts";

const nobody = () => Promise.reject(new Error("not in this test"));

/** A stack's own address, its network and all others, and the address of the client. */
const V4 = { own: "10.7.0.2", addresses: ["10.7.0.2/24", "0.0.0.0/0"], client: "10.0.0.1" };
const V6 = { own: "fd07::2", addresses: ["fd07::2/64", "::/0"], client: "fd00::1" };

/** Returns the addresses that answer an echo request. */
async function answering(
  to: readonly string[],
  options: Partial<StackOptions>,
  isEgress = true,
  { own, addresses, client }: typeof V4 = V4,
) {
  const [here, there] = linkPair();
  await using stack = createStack({
    link: here,
    addresses,
    exceptAddresses: [client],
    random: seededRandom(1),
    ...options,
  });
  const egress = egressThrough({ dial: nobody, dialDatagrams: nobody })({});
  stack.use("*", isEgress ? egress : echo());
  const answered: string[] = [];
  const batch = new PacketBatch(1);
  for (const address of [...to, own]) {
    there.send(echoRequest({ from: client, to: address }, pattern(8)));
  }
  // The stack's own address answers last.
  while (answered.at(-1) !== own && await there.ready()) {
    if (there.receive(batch) === 0) continue;
    const packet = batch.packets[0]!.slice(0, batch.sizes[0]);
    if (echoReplyPayload(packet) !== undefined) answered.push(sourceOf(packet));
  }
  return answered;
}

function sourceOf(packet: Uint8Array): string {
  const isV4 = packet[0]! >> 4 === 4;
  return String(isV4 ? IpAddress.readV4(packet, 12) : IpAddress.readV6(packet, 8));
}

describe("ping through egress", () => {
  // The remote host may not exist; the stack's own address does.
  test("is answered only for the stack's own addresses", async () => {
    expect(await answering(["198.51.100.1", "10.8.0.1"], {})).toEqual(["10.7.0.2"]);
  });

  // The same for an egress of all IPv6 addresses, and for the part of them that is configured.
  test("is answered only for the stack's own addresses over IPv6", async () => {
    const to = ["2001:db8::1", "fd08::1"];
    expect(await answering(to, {}, true, V6)).toEqual(["fd07::2"]);
    const some = { icmp: [{ to: "fd08::/64", echo: "answer" as const }] };
    expect(await answering(to, some, true, V6)).toEqual(["fd08::1", "fd07::2"]);
    expect(await answering(to, {}, false, V6)).toEqual([...to, "fd07::2"]);
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
