import { describe, expect, test } from "bun:test";
import type { IcmpOptions } from "../../../../core/api/config.ts";
import { parseStackConfig } from "../../../../core/api/config.ts";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import { Subnet } from "../../../../core/wire/address.ts";
import { encodeIcmp, encodeUdp } from "../../../support/dsl/encode.ts";

/** A stack with rules as a user configures them. */
class Host {
  readonly stack: CoreStack;
  now = 0;

  constructor(icmp: IcmpOptions | readonly IcmpOptions[]) {
    this.stack = new CoreStack({
      ...parseStackConfig({ addresses: ["10.90.0.0/16", "fd00::2/64"], icmp }),
      features: { mtu: 1500, maxSuperPacket: 0, checksumOffload: false },
      secret: new Uint8Array(SECRET_LENGTH),
    });
  }

  /** Number of replies to `count` echo requests. */
  ping(to: string, count = 1): number {
    const [from, type] = to.includes(":") ? ["fd00::1", 128] as const : ["10.1.0.1", 8] as const;
    const body = new Uint8Array(8);
    return this.#answers(encodeIcmp(from, to, { type, code: 0, rest: 1, body }), count);
  }

  /** Number of errors about `count` datagrams to a closed port. */
  knock(to: string, count = 1): number {
    const from = to.includes(":") ? "fd00::1" : "10.1.0.1";
    return this.#answers(encodeUdp(from, to, 4000, 9, new Uint8Array(8)), count);
  }

  #answers(packet: Uint8Array, count: number): number {
    const out = new OutgoingPacket();
    let answers = 0;
    for (let i = 0; i < count; i++) {
      this.stack.receive(packet, packet.length, "full", 0, this.now);
      while (this.stack.pollTransmit(out, this.now)) answers++;
    }
    return answers;
  }

  get drops() {
    const { stats } = this.stack;
    return [stats.dropped("icmp-ignored"), stats.dropped("icmp-rate"), stats.dropped("udp-port")];
  }
}

describe("the ICMP policy", () => {
  // The default policy.
  test("answers everything by default, up to a thousand times a second", () => {
    const host = new Host([]);
    expect([host.ping("10.90.0.2", 1500), host.knock("fd00::2", 1500)]).toEqual([1000, 1000]);
    expect(host.drops).toEqual([0, 500, 1500]);
  });

  // Echo replies and errors are configured separately.
  test("does not answer what it is configured to ignore", () => {
    const quiet = new Host({ echo: "ignore" });
    expect([quiet.ping("10.90.0.2"), quiet.knock("10.90.0.2")]).toEqual([0, 1]);
    expect(quiet.drops).toEqual([1, 0, 1]);
    const silent = new Host({ errors: "ignore" });
    expect([silent.ping("fd00::2"), silent.knock("fd00::2")]).toEqual([1, 0]);
    expect(silent.drops).toEqual([0, 0, 1]);
  });

  // The burst equals the rate per second, separately for replies and errors.
  test("limits the rate of each rule", () => {
    const host = new Host({ ratePerSecond: 10 });
    expect([host.ping("10.90.0.2", 20), host.knock("10.90.0.2", 20)]).toEqual([10, 10]);
    host.now += 500;
    expect(host.ping("10.90.0.3", 20)).toBe(5);
    host.now += 60_000;
    expect(host.ping("10.90.0.3", 20)).toBe(10);
  });

  // Pings of one network do not use up the limit of another.
  test("uses the most specific rule for each network", () => {
    const host = new Host([
      { to: "10.90.7.0/24", echo: "ignore", errors: "ignore" },
      { to: "10.90.7.9", ratePerSecond: 2 },
      { to: "fd00::/64", ratePerSecond: 3 },
      { ratePerSecond: 5 },
    ]);
    expect([host.ping("10.90.7.8", 9), host.knock("10.90.7.8", 9)]).toEqual([0, 0]);
    expect([host.ping("10.90.7.9", 9), host.knock("10.90.7.9", 9)]).toEqual([2, 2]);
    expect(host.ping("fd00::2", 9)).toBe(3);
    expect(host.ping("10.90.0.2", 9)).toBe(5);
  });

  // Two plugins forward the same network; ping is answered again when neither does.
  test("answers echo requests again when no plugin forwards their network", () => {
    const host = new Host([]);
    const { icmpPolicy } = host.stack;
    const network = Subnet.parse("10.90.7.0/24");
    icmpPolicy.disableEcho(network);
    icmpPolicy.disableEcho(network);
    icmpPolicy.enableEcho(network);
    expect([host.ping("10.90.7.1"), host.ping("10.90.8.1")]).toEqual([0, 1]);
    icmpPolicy.enableEcho(network);
    expect(host.ping("10.90.7.1")).toBe(1);
  });

  // The message names the faulty setting.
  test("refuses invalid rules", () => {
    const rules = (icmp: unknown) => () => parseStackConfig({ addresses: ["10.0.0.2/24"], icmp });
    expect(rules({ to: "10.0.0" })).toThrow("options.icmp.0.to: is not an address or network");
    expect(rules([{ echo: "answer" }, { echo: "maybe" }])).toThrow("options.icmp.1.echo");
    expect(rules([{ to: "10.0.0.0/8" }, { to: "10.0.0.0/8" }])).toThrow("two rules for 10.0.0.0/8");
    expect(rules([{}, {}])).toThrow("two rules for all addresses");
    expect(rules({ ratePerSecond: 0 })).toThrow("ratePerSecond");
    expect(rules("ignore")).toThrow("options.icmp.0");
  });
});
